"""Compare and Timeline in a real browser: one lasso over two maps; a film that plays, steps, rests and is linked to."""

import numpy as np
import pytest

from tests.app.records import IN_THE_FILM, MOMENTS, add_timeline
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e

MAPS = ".map[data-drawn]"
FILM = ".film[data-step]"
THE_FILM = """[...document.querySelectorAll("*")].flatMap((node) => node.shadowRoot ?? [])
  .map((root) => root.querySelector(".film")).find((found) => found)"""  # it is in a shadow root


@pytest.fixture(scope="module")
def pair(server, tmp_path_factory):
    """The runs `one`, which has a film, and `two`, among the server's runs."""
    folder = tmp_path_factory.mktemp("data")
    images = make_images(folder)
    runs = [
        make_run(server.runs, images, folder / "tiny.npz", name=name, steps=(step,))
        for name, step in (("one", 40), ("two", 20))
    ]
    add_timeline(runs[0])
    return runs


def chip(page) -> str:
    return page.locator(".st-key-selection-chip").inner_text()


def wait_for_a_selection(page) -> None:
    page.wait_for_function("() => /[1-9]\\d* \\/ 48/.test(document.querySelector('.st-key-selection-chip').innerText)")


def step(page) -> float:
    return float(page.locator(FILM).get_attribute("data-step"))


def wait_for_step(page, where: str) -> None:
    """Wait until the film's `step` is as the JavaScript expression `where` says."""
    page.locator(FILM).wait_for()
    page.wait_for_function(
        f"""(where) => {{
          const film = {THE_FILM};
          return film && new Function("step", `return ${{where}}`)(Number(film.dataset.step));
        }}""",
        arg=where,
    )


@pytest.mark.parametrize("side", [0.25, 0.75])
def test_an_area_on_either_map_selects_on_both(page, server, pair, side):
    page.goto(f"{server.address}/compare?run=one&other=two")
    maps = page.locator(MAPS)
    maps.wait_for()
    maps.scroll_into_view_if_needed()
    page.get_by_role("button", name="Box: drag to select (B)").click()
    box = maps.bounding_box()
    x, y = box["x"] + side * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x - 90, y - 90)
    page.mouse.down()
    page.mouse.move(x, y, steps=3)
    page.mouse.move(x + 90, y + 90, steps=3)
    page.mouse.up()
    wait_for_a_selection(page)
    count = int(chip(page).split("/")[0].split()[-1])
    page.locator(f'.map[data-marked="{count}"]').wait_for()
    page.get_by_text(f"among the {count} selected").wait_for()


def test_a_gone_run_in_the_link_is_said_and_the_rest_works(page, server, pair):
    page.goto(f"{server.address}/compare?run=one&other=gone")
    page.get_by_text("The link names what is not here: the other run gone").wait_for()
    page.locator(MAPS).wait_for()
    assert page.get_by_text("Who has other neighbours now").is_visible()


def test_the_film_plays_through_and_rests_at_its_end(page, server, pair):
    page.goto(f"{server.address}/timeline?run=one&moment=0")
    wait_for_step(page, "step === 0")
    page.keyboard.press("Space")
    wait_for_step(page, "step > 0 && step < 20 && step % 1 > 0")  # it glides
    assert page.locator(FILM).get_attribute("data-playing") == "true"
    wait_for_step(page, "step === 40")
    page.wait_for_url(f"**moment={MOMENTS[-1]}**")
    assert page.locator(FILM).get_attribute("data-playing") == "false"


def test_arrow_keys_step_and_the_address_follows(page, server, pair):
    page.goto(f"{server.address}/timeline?run=one")
    wait_for_step(page, "step === 40")
    page.keyboard.press("ArrowLeft")
    wait_for_step(page, "step === 20")
    page.wait_for_url("**moment=20**")
    page.get_by_text("Between step 0 and 20").wait_for()
    assert step(page) == 20  # the answer of the page moves nothing
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**moment=40**")


def test_the_film_can_be_paused_and_then_rests_at_a_recorded_moment(page, server, pair):
    page.goto(f"{server.address}/timeline?run=one&moment=0")
    wait_for_step(page, "step === 0")
    page.get_by_role("button", name="Play").click()
    wait_for_step(page, "step > 2")
    page.get_by_role("button", name="Pause").click()
    page.locator('.film[data-playing="false"]').wait_for()
    assert step(page) in MOMENTS


def test_with_reduced_motion_the_film_goes_from_moment_to_moment(browser, server, pair):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{server.address}/timeline?run=one&moment=0")
    wait_for_step(page, "step === 0")
    seen = set()
    page.expose_function("saw", lambda value: seen.add(value))
    page.evaluate(
        f"""() => {{
          const film = {THE_FILM};
          const saw = () => window.saw(Number(film.dataset.step));
          new MutationObserver(saw).observe(film, {{attributeFilter: ["data-step"]}});
        }}"""
    )
    page.keyboard.press("Space")
    wait_for_step(page, "step === 40")
    context.close()
    assert seen <= set(MOMENTS)


def test_a_box_on_the_film_selects_and_shift_adds(page, server, pair):
    page.goto(f"{server.address}/timeline?run=one")
    wait_for_step(page, "step === 40")
    stage = page.locator(".film canvas").bounding_box()
    middle = stage["x"] + stage["width"] / 2

    def drag(left: float, right: float) -> None:
        page.mouse.move(left, stage["y"] + 2)
        page.mouse.down()
        page.mouse.move(right, stage["y"] + stage["height"] - 2, steps=3)
        page.mouse.up()

    drag(stage["x"] + 1, middle)
    wait_for_a_selection(page)
    first = int(chip(page).split("/")[0].split()[-1])
    assert 0 < first < IN_THE_FILM
    page.keyboard.down("Shift")
    drag(middle, stage["x"] + stage["width"] - 1)
    page.keyboard.up("Shift")
    page.locator(".st-key-selection-chip").get_by_text(f"{IN_THE_FILM} / 48").first.wait_for()


def test_hovering_names_the_sample(page, server, pair):
    page.goto(f"{server.address}/timeline?run=one")
    wait_for_step(page, "step === 40")
    recorded = np.load(pair[0].timeline_path)
    xy = recorded["xy"].astype(float)
    low, high = xy.min(axis=(0, 1)), xy.max(axis=(0, 1))
    stage = page.locator(".film canvas").bounding_box()
    scale = min((stage["width"] - 28) / (high - low)[0], (stage["height"] - 28) / (high - low)[1])
    middle = [stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2]
    x, y = (xy[2, 0] - (low + high) / 2) * scale
    page.mouse.move(middle[0] + x, middle[1] - y)
    page.locator(".film .tip").get_by_text(f"id {recorded['ids'][0]}").wait_for()
