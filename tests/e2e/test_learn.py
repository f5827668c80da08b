"""The guided scenes under the fingers: arrow keys, prediction, projector, and the way to the real page."""

import pytest

pytestmark = pytest.mark.e2e

TITLES = (
    "What does the margin ask for?",
    "How hard is a random negative?",
    "What does one look-up find?",
    "What does a corner of its own bring a learner?",
    "What does the map get wrong?",
)
EXHIBITS = (".distances .field", ".wall", ".wall", ".corner .strip", ".mini")
FITS = """() => {
  const page = document.querySelector("[data-testid=stMain]");
  return page.scrollHeight <= innerHeight && page.scrollWidth <= innerWidth;
}"""
SMALLEST = """() => {
  const sizes = [];
  const look = (node) => {
    for (const part of node.querySelectorAll("*")) {
      const words = [...part.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
      if (words && part.checkVisibility() && part.getBoundingClientRect().width > 1 && !part.closest("style"))
        sizes.push([parseFloat(getComputedStyle(part).fontSize) * (part.currentCSSZoom ?? 1), part.textContent]);
      if (part.shadowRoot) look(part.shadowRoot);
    }
  };
  look(document.querySelector("[data-testid=stMain]"));
  return sizes.sort((one, other) => one[0] - other[0])[0];
}"""


def at_scene(page, number: int) -> None:
    """Wait until scene `number`, from 0, is shown and drawn."""
    page.get_by_role("heading", name=TITLES[number]).wait_for()
    page.locator(f".rail li.now button[aria-label*='Scene {number + 1} of 5']").wait_for()


def answered(page) -> None:
    page.locator(".answer").wait_for()


def settled(page, number: int) -> None:
    """Wait until the demo of scene `number` is drawn and the script is done."""
    page.locator(EXHIBITS[number]).first.wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_projector_shows_each_scene_whole(page, server, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{server.address}/learn?scene=margin&present=1")
    for number in range(len(TITLES)):
        at_scene(page, number)
        page.locator(".ask").wait_for()
        settled(page, number)
        page.wait_for_function(FITS)
        assert not page.get_by_test_id("stHeader").is_visible()
        assert not page.locator(".st-key-header").is_visible()
        page.keyboard.press("Space")
        answered(page)
        settled(page, number)
        page.wait_for_function(FITS)
        assert page.evaluate("() => parseFloat(getComputedStyle(document.querySelector('.answer p')).fontSize)") >= 22
        size_of_words, words = page.evaluate(SMALLEST)
        assert size_of_words >= 14, words
        page.keyboard.press("ArrowRight")


def test_arrow_keys_walk_and_a_number_predicts(page, server):
    page.goto(f"{server.address}/learn")
    at_scene(page, 0)
    page.keyboard.press("2")
    answered(page)
    page.get_by_text("your prediction").wait_for()
    settled(page, 0)
    page.keyboard.press("ArrowRight")
    at_scene(page, 1)
    settled(page, 1)
    assert page.locator(".answer").count() == 0
    page.keyboard.press("ArrowRight")
    at_scene(page, 2)
    page.keyboard.press("ArrowLeft")
    at_scene(page, 1)
    page.locator(".rail button").nth(4).click()
    at_scene(page, 4)
    page.wait_for_url("**scene=map**")


def test_the_browsers_back_returns_to_the_scene_before(page, server):
    page.goto(f"{server.address}/learn?scene=margin")
    at_scene(page, 0)
    settled(page, 0)
    page.keyboard.press("ArrowRight")
    at_scene(page, 1)
    page.wait_for_url("**anchor=**")
    settled(page, 1)
    while "scene=random" in page.url:
        page.go_back()
    at_scene(page, 0)


def test_enter_on_a_choice_predicts_even_on_a_projector(page, server):
    page.goto(f"{server.address}/learn?scene=margin&present=1")
    at_scene(page, 0)
    page.get_by_role("button", name="more than half").focus()
    page.keyboard.press("Enter")
    answered(page)
    page.get_by_text("your prediction").wait_for()


def test_an_arrow_key_on_the_slider_moves_the_margin_alone(page, server):
    page.goto(f"{server.address}/learn?scene=margin")
    at_scene(page, 0)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("of the triplets violate a margin of 0.21").wait_for()
    at_scene(page, 0)


def test_escape_leaves_the_projector_and_keeps_the_selection(page, server):
    page.goto(f"{server.address}/learn?scene=map&present=1&sel=class:500")
    at_scene(page, 4)
    page.keyboard.press("Escape")
    page.wait_for_function("() => /[1-9]\\d* \\/ /.test(document.querySelector('.st-key-selection-chip')?.innerText)")
    page.wait_for_url(lambda address: "present" not in address)  # sent once the page is whole


def test_the_margin_that_was_dragged_is_that_of_the_real_page(page, server):
    page.goto(f"{server.address}/negatives?show=Replay+a+step")  # what one saw there before does not matter
    page.locator(".triplets").wait_for()
    page.get_by_test_id("stTopNavLink").filter(has_text="Learn").click()
    at_scene(page, 0)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("of the triplets violate a margin of 0.21").wait_for()
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


def test_the_next_scene_opens_at_its_title(page, server):
    """On a low screen the button that leads on lies below the fold."""
    page.set_viewport_size({"width": 1000, "height": 500})
    page.goto(f"{server.address}/learn?scene=margin")
    for number in range(len(TITLES) - 1):
        at_scene(page, number)
        settled(page, number)
        page.get_by_role("button", name="Next").scroll_into_view_if_needed()
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") > 0
        page.get_by_role("button", name="Next").click()
        at_scene(page, number + 1)
        settled(page, number + 1)
        title = page.get_by_role("heading", name=TITLES[number + 1])
        box = title.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 500
