"""The WebGL map in a real browser, mostly at 50,000 points: lasso, box, hover, click, zoom, colours, keys, other
projections, two views with one lasso, and a browser without WebGL.
"""

import math
import re
import shutil
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from app import theme
from app.selection import decode, pack
from app.view import COLOURS
from app.widgets.map.webgl_map.plane import inside
from bon_core.runs.run import Run
from tests.app.large import make_large_run
from tests.e2e.conftest import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.e2e

COUNT = 50_000
HEIGHT = 640  # of the map on its page
MARGIN = 0.94  # of it that the points fill, in front/camera.js
BUTTONS = 46  # px at its top that are left to the buttons, in front/drawn.js
LINE_HUES = [[int(hue[at : at + 2], 16) for at in (1, 3, 5)] for hue in (theme.RIGHT, theme.WRONG)]
PIXELS = """([map, hues]) => {
  const canvas = map.querySelector("canvas.top");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4)
    count += data[i + 3] > 200 && hues.some((hue) => hue.every((part, k) => Math.abs(part - data[i + k]) < 3));
  return count;
}"""  # pixels of the upper canvas in one of some colours


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
        self.scale = MARGIN * min(self.box["width"] / (high - low)[0], (HEIGHT - BUTTONS) / (high - low)[1])

    def of(self, place) -> tuple[float, float]:
        x, y = (np.asarray(place) - self.middle) * self.scale
        return self.box["x"] + self.box["width"] / 2 + x, self.box["y"] + (HEIGHT + BUTTONS) / 2 - y


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
    assert len(found) == at_once


def test_what_lies_behind_a_selection_looks_the_same_painted_before_or_with_it(page, big_map, run):
    """A second lasso, after a zoom, keeps the grey points of the first; a page that is new draws all at once."""
    xy = np.asarray(run.snapshot().xy, np.float64)
    screen = Screen(big_map, xy)
    pictures = []
    for share in (0.3, 0.1):
        page.wait_for_timeout(500)  # in which the grey points are painted
        lasso(page, [screen.of(corner) for corner in circle(np.quantile(xy, share, axis=0), 2)])
        page.wait_for_url("**sel=**")
        pictures.append(still(page, big_map))
        big_map.press("+")
        assert (still(page, big_map) != pictures[-1]).mean() > 0.02
        big_map.press("0")
    page.reload()
    big_map.wait_for()
    fresh = still(page, big_map)
    assert (fresh != pictures[0]).mean() > 0.001
    assert (fresh == pictures[1]).all()


def still(page, found) -> np.ndarray:
    """What the map shows once it is drawn and nothing is under the mouse, below its toolbar, (height, width, 3)."""
    page.mouse.move(1, 1)
    before = None
    for _ in range(30):
        page.wait_for_timeout(500)
        now = np.asarray(Image.open(BytesIO(found.screenshot(animations="disabled"))).convert("RGB"))[56:-8, 8:-8]
        if before is not None and np.array_equal(now, before):
            return now
        before = now
    raise AssertionError("the map does not come to rest")


@pytest.mark.parametrize("size", [2000, 200_000, 1_000_000])
def test_maps_of_every_size_are_drawn_and_browser_and_python_select_the_same(page, server, size):
    make_large_run(server.runs, size, name=f"n{size}")
    page.goto(f"{server.address}/map?run=n{size}")
    found = page.locator(".map[data-drawn][data-named]")
    found.wait_for()
    box, drawn = found.bounding_box(), int(found.get_attribute("data-drawn"))
    lasso(page, circle((box["x"] + box["width"] / 2, box["y"] + (HEIGHT + BUTTONS) / 2), 0.2 * HEIGHT))
    at_once = int(found.get_attribute("data-marked"))
    assert size / 20 < at_once < size
    assert wait_for_selection(page, 1, size) == at_once
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.locator(f'.map[data-drawn="{drawn + 1}"]').wait_for()
    page.wait_for_timeout(500)
    assert int(found.get_attribute("data-drawn")) == drawn + 1  # Python's answer changes nothing: one drawing
    assert int(found.get_attribute("data-marked")) == at_once


def test_boxes_make_add_and_subtract_as_the_buttons_say(page, big_map, run):
    xy = np.asarray(run.snapshot().xy, np.float64)
    screen, (x, y) = Screen(big_map, xy), xy.mean(axis=0)
    page.get_by_role("button", name="Box: drag to select (B)").click()

    def box(left: float, right: float, mode: str) -> None:
        page.get_by_role("group", name="An area").get_by_role("button").filter(has_text=mode).click()
        lasso(page, [screen.of((left, y - 2)), screen.of(((left + right) / 2, y)), screen.of((right, y + 2))])

    def expected(*spans: tuple[float, float]) -> int:
        across = np.any([(left <= xy[:, 0]) & (xy[:, 0] <= right) for left, right in spans], axis=0)
        return int((across & (abs(xy[:, 1] - y) <= 2)).sum())

    near = 0.03 * expected((x - 6, x + 6))  # a pixel more or less at the edges
    box(x - 6, x, "New")
    first = wait_for_selection(page, 1, COUNT)
    assert first == pytest.approx(expected((x - 6, x)), abs=near)
    box(x + 3, x + 6, "Add")
    both = wait_for_selection(page, first + 1, COUNT)
    assert both == pytest.approx(expected((x - 6, x), (x + 3, x + 6)), abs=near)
    box(x - 3, x + 9, "Subtract")
    left = wait_for_selection(page, 1, first)
    assert left == pytest.approx(expected((x - 6, x - 3)), abs=near)


def test_the_legend_counts_the_selection(page, big_map, run):
    xy = np.asarray(run.snapshot().xy, np.float64)
    lasso(page, [Screen(big_map, xy).of(corner) for corner in circle(xy.mean(axis=0), 6)])
    count = wait_for_selection(page, 1, COUNT)
    page.locator(".legend b").filter(has_text=" / ").first.wait_for()
    parts = [part.replace(",", "").split(" / ") for part in page.locator(".legend b").all_inner_texts()]
    assert sum(int(inside) for inside, _ in parts) == count
    assert sum(int(whole) for _, whole in parts) == COUNT


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


def test_a_click_draws_lines_to_the_true_neighbours(page, server, run):
    identity = int(run.snapshot().ids[5])
    for address, least, most in (("", 0, 1), (f"&at={identity}", 40, math.inf)):
        page.goto(f"{server.address}/map?run=large{address}")
        found = page.locator(".map[data-drawn][data-named]")
        found.wait_for()
        assert least <= page.evaluate(PIXELS, [found.element_handle(), LINE_HUES]) < most


def test_names_come_with_the_zoom(page, big_map, run):
    xy = np.asarray(run.snapshot().xy, np.float64)
    before = int(big_map.get_attribute("data-names"))
    assert before > 5
    page.mouse.move(*Screen(big_map, xy).of(np.median(xy, axis=0)))
    seen = []
    for _ in range(4):
        page.mouse.wheel(0, -150)
        page.wait_for_timeout(300)
        zoom = math.exp(0.3 * (len(seen) + 1))
        seen.append(int(big_map.get_attribute("data-names")) * zoom**2)  # as many on the area that was seen before
    assert seen == sorted(seen) and seen[-1] > 2 * before


def test_every_colour_is_drawn(page, big_map):
    seen = {big_map.get_attribute("data-shades")}
    for words in [words for name, words in COLOURS.items() if name != "cluster"]:
        before = big_map.get_attribute("data-shades")
        page.get_by_role("combobox", name="Colouring").click()
        page.get_by_role("option", name=words, exact=True).click()
        page.wait_for_function(
            "([map, before]) => map.dataset.shades !== before", arg=[big_map.element_handle(), before]
        )
        seen.add(big_map.get_attribute("data-shades"))
        assert not page.get_by_role("alert").count()
    assert len(seen) == len(COLOURS)


def test_another_projection_is_drawn_linked_and_measured(page, big_map):
    before = big_map.get_attribute("data-drawn")
    page.get_by_role("button", name="Projection").click()
    page.get_by_role("radio", name="PCA").click()
    page.wait_for_url("**method=PCA**")
    page.wait_for_function(
        "([map, before]) => Number(map.dataset.drawn) > Number(before)", arg=[big_map.element_handle(), before]
    )
    page.locator(".maps .now").get_by_text("PCA").wait_for()


def test_two_views_share_one_context_and_one_lasso(page, server, run, tmp_path):
    other = server.runs / "turned"
    shutil.copytree(run.path, other)
    file = Run(other).snapshot_path(run.snapshots()[-1]) / "xy.npy"
    np.save(file, np.load(file) @ np.array([[0, 1], [-1, 0]], np.float32))
    page.goto(f"{server.address}/compare?run=large&other=turned")
    found = page.locator(".map[data-drawn][data-named]")
    found.wait_for()
    found.scroll_into_view_if_needed()
    assert page.locator(".map").count() == 1 and page.locator(".map canvas").count() == 2
    box = found.bounding_box()
    for side in (0.25, 0.75):
        page.keyboard.press("Escape")
        wait_for_selection(page, 0, 0)
        lasso(page, circle((box["x"] + side * box["width"], box["y"] + box["height"] / 2), 0.25 * box["height"]))
        assert wait_for_selection(page, 1, COUNT) == int(found.get_attribute("data-marked"))


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


def test_one_button_frames_what_is_selected_and_then_all(page, server, run):
    snapshot = run.snapshot()
    xy, ids = np.asarray(snapshot.xy, np.float64), np.asarray(snapshot.ids)
    inner, outer = (int(place) for place in (np.square(xy - np.median(xy, axis=0)).sum(1).argmin(), xy[:, 0].argmin()))
    page.goto(f"{server.address}/map?run=large&sel={pack(ids[[inner]])}")
    found = page.locator(".map[data-drawn][data-named]")
    found.wait_for()
    button = page.get_by_role("button", name="The view as it opened, or those that are selected")
    button.click()
    box = found.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + (HEIGHT + BUTTONS) / 2)
    page.wait_for_url(f"**at={ids[inner]}**")
    button.click()
    page.mouse.click(*Screen(found, xy).of(xy[outer]))
    page.wait_for_url(f"**at={ids[outer]}**")
