"""The WebGL map in a real browser at 50,000 points: lasso, hover, click, colours, keys, and a browser without WebGL."""

import math
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from app.selection import decode
from app.widgets.webgl_map.plane import inside
from tests.app.large import make_large_run
from tests.e2e.conftest import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.e2e

COUNT = 50_000
HEIGHT = 640  # of the map on its page
MARGIN = 0.94  # of it that the points fill, in front/camera.js


@pytest.fixture(scope="module")
def run(server, tmp_path_factory):
    """A run of COUNT held-out samples with images."""
    return make_large_run(server.runs, COUNT, name="large", images=tmp_path_factory.mktemp("data") / "large.npz")


@pytest.fixture
def big_map(page, server, run):
    """The map's element, all points on the screen, their names at hand."""
    page.goto(f"{server.address}/map?run=large")
    found = page.locator(".map[data-drawn][data-named]")
    found.wait_for()
    return found


class Screen:
    """Where data coordinates are on the screen before anybody has moved the map."""

    def __init__(self, element, xy: np.ndarray):
        self.box = element.bounding_box()
        low, high = xy.min(axis=0), xy.max(axis=0)
        self.middle = (low + high) / 2
        self.scale = MARGIN * min(self.box["width"] / (high - low)[0], HEIGHT / (high - low)[1])

    def of(self, place) -> tuple[float, float]:
        x, y = (np.asarray(place) - self.middle) * self.scale
        return self.box["x"] + self.box["width"] / 2 + x, self.box["y"] + HEIGHT / 2 - y


def lasso(page, corners) -> None:
    """Draw along screen points."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    page.mouse.up()


def circle(centre, radius: float, steps: int = 24):
    turns = [2 * math.pi * k / steps for k in range(steps)]
    return [(centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn)) for turn in turns]


def selected(page) -> int:
    """The count on the chip."""
    return int(re.search(r"([\d,]+) / ", page.locator(".st-key-selection-chip").inner_text())[1].replace(",", ""))


def wait_for_selection(page, low: int, high: int) -> int:
    page.wait_for_function(
        """([low, high]) => {
          const text = document.querySelector(".st-key-selection-chip").innerText.match(/([\\d,]+) \\//);
          const count = Number(text[1].replaceAll(",", ""));
          return low <= count && count <= high;
        }""",
        arg=[low, high],
    )
    return selected(page)


def test_a_lasso_lights_up_at_once_and_selects_what_lies_in_it(page, big_map, run):
    snapshot = run.snapshot()
    xy, ids = np.asarray(snapshot.xy, np.float64), np.asarray(snapshot.ids)
    screen = Screen(big_map, xy)
    centre = np.quantile(xy, 0.1, axis=0)  # few enough for the link to hold their ids
    lasso(page, [screen.of(corner) for corner in circle(centre, 2)])
    at_once = int(big_map.get_attribute("data-marked"))
    page.wait_for_url("**sel=**")
    found = decode(parse_qs(urlsplit(page.url).query)["sel"][0])
    pixel = 1 / screen.scale
    surely = ids[inside(xy, np.array(circle(centre, 2 - 2 * pixel)))]
    possibly = ids[inside(xy, np.array(circle(centre, 2 + 2 * pixel)))]
    assert len(surely) > 20
    assert set(surely) <= set(found) <= set(possibly)
    assert abs(len(found) - at_once) <= 1  # coordinates of two bytes against four
    page.locator(f'.map[data-marked="{len(found)}"]').wait_for()


def test_shift_adds_alt_subtracts_and_escape_clears(page, big_map, run):
    xy = np.asarray(run.snapshot().xy, np.float64)
    screen = Screen(big_map, xy)
    x, y = xy.mean(axis=0)
    left, right = (x - 3, y), (x + 3, y)
    lasso(page, [screen.of(corner) for corner in circle(left, 4)])
    first = wait_for_selection(page, 1, COUNT)
    page.keyboard.down("Shift")
    lasso(page, [screen.of(corner) for corner in circle(right, 4)])
    page.keyboard.up("Shift")
    both = wait_for_selection(page, first + 1, COUNT)
    union = inside(xy, np.array(circle(left, 4))) | inside(xy, np.array(circle(right, 4)))
    assert abs(both - union.sum()) < 0.02 * both
    page.keyboard.down("Alt")
    lasso(page, [screen.of(corner) for corner in circle(left, 4)])
    page.keyboard.up("Alt")
    wait_for_selection(page, 1, both - first // 2)
    page.keyboard.press("Escape")
    wait_for_selection(page, 0, 0)
    page.locator('.map[data-marked="0"]').wait_for()


def test_hover_shows_the_sample_and_a_click_opens_it(page, big_map, run):
    snapshot = run.snapshot()
    xy = np.asarray(snapshot.xy, np.float64)
    row = int(np.argmax(xy[:, 0]))  # alone at the edge
    x, y = Screen(big_map, xy).of(xy[row])
    page.mouse.move(x, y)
    card = page.locator(".card")
    card.wait_for()
    assert card.inner_text().split("\n")[0] == snapshot.class_names[snapshot.labels[row]]
    assert f"id {snapshot.ids[row]}" in card.inner_text()
    page.wait_for_function("""(card) => card.querySelector("img").naturalWidth > 0""", arg=card.element_handle())
    page.mouse.click(x, y)
    page.wait_for_url(f"**at={snapshot.ids[row]}**")
    page.get_by_text("True neighbours", exact=True).wait_for()
    assert selected(page) == 0


def test_another_colour_fetches_a_byte_a_point_and_no_coordinates(page, big_map):
    sizes = []
    page.on("response", lambda answer: "/points/" in answer.url and sizes.append(int(answer.headers["content-length"])))
    before = big_map.get_attribute("data-shades")
    page.get_by_role("combobox", name="Colouring").click()
    page.get_by_role("option", name="map trust").click()
    page.wait_for_function("([map, before]) => map.dataset.shades !== before", arg=[big_map.element_handle(), before])
    assert sizes == [COUNT]


def test_everything_works_with_keys(page, big_map):
    big_map.focus()
    for key in ("+", "+", "+", "ArrowRight"):
        page.keyboard.press(key)
    page.keyboard.press("b")
    page.keyboard.press(" ")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    first = wait_for_selection(page, 1, COUNT - 1)
    page.keyboard.press("l")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+Enter")
    wait_for_selection(page, first + 1, COUNT)
    page.keyboard.press("Enter")
    page.wait_for_url("**at=**")


def test_close_up_dots_turn_to_thumbnails(page, big_map, run):
    xy = np.asarray(run.snapshot().xy, np.float64)
    page.mouse.move(*Screen(big_map, xy).of(np.median(xy, axis=0)))
    assert big_map.get_attribute("data-faces") in (None, "0")
    for _ in range(12):
        page.mouse.wheel(0, -300)
    page.wait_for_function("(map) => Number(map.dataset.faces) > 0", arg=big_map.element_handle())


def test_a_lost_context_comes_back(page, big_map):
    drawn = int(big_map.get_attribute("data-drawn"))
    page.evaluate(
        """(map) => {
          const lose = map.querySelector("canvas").getContext("webgl2").getExtension("WEBGL_lose_context");
          lose.loseContext();
          setTimeout(() => lose.restoreContext(), 100);
        }""",
        big_map.element_handle(),
    )
    page.wait_for_function("([map, drawn]) => Number(map.dataset.drawn) > drawn", arg=[big_map.element_handle(), drawn])


def test_without_webgl_the_page_says_so_and_draws_a_plain_map(browser, server, run):
    plain = browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, "--disable-3d-apis"])
    page = plain.new_page()
    page.goto(f"{server.address}/map?run=large")
    page.get_by_text("This browser offers no WebGL 2").wait_for()
    page.get_by_text("of 50,000 points are drawn").wait_for()
    page.locator("canvas.marks").wait_for()
    assert not page.locator(".map").count()
    plain.close()
