"""The guided scenes under the fingers: arrow keys, prediction, projector, and the way to the real page."""

import pytest

pytestmark = pytest.mark.e2e

TITLES = (
    "When does a triplet stop teaching?",
    "Why do random negatives die?",
    "How can one look-up find the hard ones?",
    "Why give each learner a corner of its own?",
    "What does the map get wrong?",
)
FITS = """() => {
  const page = document.querySelector("[data-testid=stMain]");
  return page.scrollHeight <= page.clientHeight && page.scrollWidth <= page.clientWidth;
}"""


def at_scene(page, number: int) -> None:
    """Wait until scene `number`, from 0, is shown and drawn."""
    page.get_by_role("heading", name=TITLES[number]).wait_for()
    page.locator(f".rail li.now button[aria-label*='Scene {number + 1} of 5']").wait_for()


def answered(page) -> None:
    page.locator(".answer").wait_for()


def test_arrow_keys_walk_and_a_number_predicts(page, server):
    page.goto(f"{server.address}/learn")
    at_scene(page, 0)
    page.keyboard.press("2")
    answered(page)
    page.get_by_text("your prediction").wait_for()
    page.keyboard.press("ArrowRight")
    at_scene(page, 1)
    assert page.locator(".answer").count() == 0
    page.keyboard.press("ArrowRight")
    at_scene(page, 2)
    page.keyboard.press("ArrowLeft")
    at_scene(page, 1)
    page.locator(".rail button").nth(4).click()
    at_scene(page, 4)
    page.wait_for_url("**scene=map**")


def test_an_arrow_key_on_the_slider_moves_the_margin_alone(page, server):
    page.goto(f"{server.address}/learn?scene=margin")
    at_scene(page, 0)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("of the triplets teach at a margin of 0.21").wait_for()
    at_scene(page, 0)


def test_escape_leaves_the_projector_and_keeps_the_selection(page, server):
    page.goto(f"{server.address}/learn?scene=map&present=1&sel=class:500")
    at_scene(page, 4)
    page.keyboard.press("Escape")
    page.wait_for_function("() => /[1-9]\\d* \\/ /.test(document.querySelector('.st-key-selection-chip')?.innerText)")
    assert "present" not in page.url


def test_the_margin_that_was_dragged_is_that_of_the_real_page(page, server):
    page.goto(f"{server.address}/negatives?show=Replay+a+step")  # what one saw there before does not matter
    page.locator(".triplets").wait_for()
    page.get_by_test_id("stTopNavLink").filter(has_text="Learn").click()
    at_scene(page, 0)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("of the triplets teach at a margin of 0.21").wait_for()
    page.get_by_role("button", name="Drag it on Mined negatives").click()
    page.locator(".distances svg[aria-label*='margin 0.21']").wait_for()
    page.get_by_role("heading", name="Mined negatives").wait_for()
    page.wait_for_url("**/negatives?**")
    assert "margin=0.21" in page.url and "show=Drag" in page.url


def test_the_point_of_the_scene_is_the_point_of_the_map(page, server):
    page.goto(f"{server.address}/learn?scene=map")
    at_scene(page, 4)
    page.wait_for_url("**point=**")
    point = page.url.split("point=")[1].split("&")[0]
    page.get_by_role("button", name="Open this point on the map").click()
    page.get_by_role("heading", name="Map", exact=True).wait_for()
    page.wait_for_url("**/map?**")
    assert f"at={point}" in page.url
    page.wait_for_url("**colour=map+trust**")
