"""A map with a few points far off opens on the bulk; arrows say how many lie where, and go there.

Close up, dots turn to pictures, which stay where they are while the map moves.
"""

import io

import numpy as np
import pytest
from PIL import Image

from app.widgets.map.webgl_map.plane import bulk
from tests.app.large import make_large_run

pytestmark = pytest.mark.e2e

COUNT = 5000
ISLANDS = {
    "right": [(20, (2000.0, 0.0))],
    "corner": [(12, (-900.0, 700.0))],
    "round": [(6, (500.0, 0.0)), (7, (-500.0, 0.0)), (5, (0.0, 900.0)), (6, (400.0, -400.0))],
    "two": [(9, (300.0, 0.0)), (11, (3e5, 0.0))],
}


@pytest.fixture(scope="module")
def runs(server, tmp_path_factory):
    """A run for each of the ISLANDS, and one without any."""
    folder = tmp_path_factory.mktemp("pictures")
    return {
        name: make_large_run(server.runs, COUNT, name=f"far-{name}", images=folder / f"{name}.npz", islands=islands)
        for name, islands in {**ISLANDS, "none": []}.items()
    }


def opened(page, server, name: str, path: str = "map"):
    page.goto(f"{server.address}/{path}?run=far-{name}")
    found = page.locator(".map[data-drawn][data-named]").first
    found.wait_for()
    page.wait_for_timeout(300)
    return found


def shot(page, found) -> np.ndarray:
    """The map as a picture, (height, width, 3)."""
    picture = page.screenshot(clip=found.bounding_box(), animations="disabled")
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def drawn_extent(page, found) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of what is drawn on the map, as shares of its box, its buttons hidden."""
    hide = "(map) => map.querySelectorAll('.tools, .arrows, .note, canvas.top').forEach((p) => p.style.opacity = 0)"
    page.evaluate(hide, found.element_handle())
    picture = shot(page, found)
    ground = picture[2, 2]
    y, x = np.nonzero(np.abs(picture - ground).sum(axis=2) > 24)
    height, width = picture.shape[:2]
    return x.min() / width, x.max() / width, y.min() / height, y.max() / height


@pytest.mark.parametrize("name", ISLANDS)
@pytest.mark.parametrize("path", ["map", "", "compare"])
def test_a_map_opens_on_the_bulk_and_says_what_lies_outside(page, server, runs, name, path):
    page.set_viewport_size({"width": 1440, "height": 900})
    query = "&other=far-none" if path == "compare" else ""
    found = opened(page, server, name + query, path)
    arrows = found.locator(".arrows button")
    assert sum(int(each) for each in arrows.evaluate_all("(all) => all.map((each) => each.dataset.count)")) == sum(
        count for count, _ in ISLANDS[name]
    )
    tools = found.locator(".tools").bounding_box()
    for box in [each.bounding_box() for each in arrows.all()]:
        assert not overlap(box, tools), "an arrow lies under the buttons"
        assert inside(box, found.bounding_box())
    if path != "compare":
        left, right, top, bottom = drawn_extent(page, found)
        assert max(right - left, bottom - top) > 0.8
        assert top * found.bounding_box()["height"] > tools["height"], "points lie under the buttons"


def test_a_map_without_islands_has_no_arrows_and_no_button_for_all(page, server, runs):
    found = opened(page, server, "none")
    assert found.locator(".arrows button").count() == 0
    assert not found.get_by_role("button", name="All points").is_visible()


def test_in_any_view_the_arrows_count_what_lies_outside(page, server, runs):
    """Where points are on the screen follows from the opening view and the wheel, which keeps what lies under it."""
    found = opened(page, server, "none")
    box, xy = found.bounding_box(), np.asarray(runs["none"].snapshot().xy, np.float64)
    home = bulk(xy)
    scale = 0.94 * min(box["width"] / home.span[0], (box["height"] - 46) / home.span[1])
    at = (xy - np.add(home.low, home.high) / 2) * (scale, -scale) + (box["width"] / 2, (box["height"] + 46) / 2)
    mouse = np.array([0.6 * box["width"], 0.4 * box["height"]])
    page.mouse.move(box["x"] + mouse[0], box["y"] + mouse[1])
    for _ in range(3):
        page.mouse.wheel(0, -250)
        page.wait_for_timeout(100)
        at = mouse + (at - mouse) * np.exp(0.5)
        x, y = at.T
        across, up = np.sign((x > box["width"]) * 1 - (x < 0)), np.sign((y < 0) * 1 - (y > box["height"]))
        outside = int(((across != 0) | (up != 0)).sum())
        page.wait_for_timeout(400)
        assert outside > 100 and abs(int(found.get_attribute("data-beyond")) - outside) <= 4
        told = [int(each) for each in arrow_counts(found)]
        sides, counts = np.unique(np.stack([across, up], axis=1), axis=0, return_counts=True)
        expected = sorted(int(count) for side, count in zip(sides, counts, strict=True) if side.any())
        np.testing.assert_allclose(sorted(told), expected, atol=4)
    for each in found.locator(".arrows button").all():
        assert inside(each.bounding_box(), box)


@pytest.mark.parametrize("how", ["wheel", "keys"])
def test_a_view_without_any_point_has_an_arrow_back(page, server, runs, how):
    found = opened(page, server, "none")
    box = found.bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] - 12)  # a corner, where no point is
    if how == "keys":
        found.focus()
        for key in ["+"] * 4 + ["Shift+ArrowLeft"] * 8 + ["Shift+ArrowDown"] * 8:
            page.keyboard.press(key)
    else:
        for _ in range(8):
            page.mouse.wheel(0, -300)
    page.wait_for_function(f"(map) => map.dataset.beyond == {COUNT}", arg=found.element_handle())
    assert sum(map(int, arrow_counts(found))) == COUNT
    arrow = found.locator(".arrows button").first
    assert inside(arrow.bounding_box(), box) and "outside" in arrow.get_attribute("title")
    arrow.click()
    page.wait_for_function("(map) => map.dataset.beyond == 0", arg=found.element_handle())
    assert found.locator(".arrows button").count() == 0


def arrow_counts(found) -> list[str]:
    return found.locator(".arrows button").evaluate_all("(all) => all.map((each) => each.dataset.count)")


def test_an_arrow_goes_there_with_keys_and_another_one_back(page, server, runs):
    found = opened(page, server, "two")
    arrow = found.locator(".arrows button")
    assert arrow.get_attribute("title") == "20 samples lie outside, right: go there"
    arrow.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("(map) => map.dataset.beyond == 4991", arg=found.element_handle())  # the nearer island first
    counts = {each.get_attribute("title").split(" ")[0] for each in found.locator(".arrows button").all()}
    assert counts == {"11", "4,980"}
    found.get_by_role("button", name="4,980 samples lie outside").click()
    page.wait_for_function("(map) => map.dataset.beyond == 20", arg=found.element_handle())
    found.get_by_role("button", name="All points").click()
    page.wait_for_function("(map) => map.dataset.beyond == 0", arg=found.element_handle())
    found.get_by_role("button", name="The view as it opened").click()
    page.wait_for_function("(map) => map.dataset.beyond == 20", arg=found.element_handle())


def test_a_lasso_around_an_island_and_one_in_the_bulk_select_what_lies_there(page, server, runs):
    """Coordinates are not cut off at the bulk, nor coarse in it."""
    found = opened(page, server, "two")
    found.locator(".arrows button").click()
    page.wait_for_function("(map) => map.dataset.beyond == 4991", arg=found.element_handle())
    page.wait_for_timeout(300)
    found.press("b")
    box = found.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] - 40)
    page.mouse.up()
    page.wait_for_url("**sel=**")
    assert found.get_attribute("data-marked") == "9"
    page.get_by_role("button", name="9 / 5,000").wait_for()


def test_pictures_come_close_up_and_stay_while_the_map_moves(page, server, runs):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/thumb/" in request.url else None)
    found = opened(page, server, "right")
    assert found.get_attribute("data-faces") in (None, "0") and not asked
    box = closer(page, found, least=5)
    page.wait_for_load_state("networkidle")
    assert 5 < len(set(asked)) <= 350
    before = still(page, found)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x + 30, y, steps=3)
    page.mouse.move(x + 60, y, steps=3)
    page.mouse.up(button="middle")
    after = still(page, found)
    height = slice(60, -60)
    one, other = before[height, 80:-140], after[height, 140:-80]
    assert (before[height, 80:-140] != after[height, 80:-140]).any(axis=2).mean() > 0.2, "the map has moved"
    assert (one != other).any(axis=2).mean() < 0.02, "with all of its pictures"


def test_pictures_of_one_colour_a_class_are_where_their_samples_are(page, server, runs):
    """Close up, a click on the rim of a picture opens its sample, though its dot is out of reach."""
    found = opened(page, server, "right")
    box = closer(page, found, least=1, times=3)
    page.wait_for_load_state("networkidle")
    picture = still(page, found)
    y, x = np.nonzero(np.ptp(picture, axis=2) > 60)  # in a hue, as the rims of pictures are and names are not
    far = (x > 60) & (x < picture.shape[1] - 60) & (y > 80) & (y < picture.shape[0] - 80)
    page.mouse.move(box["x"] + float(x[far][0]) + 3, box["y"] + float(y[far][0]) + 3)
    page.mouse.click(box["x"] + float(x[far][0]) + 3, box["y"] + float(y[far][0]) + 3)
    page.wait_for_url("**at=**")


def test_names_stay_on_a_narrow_map_and_are_whole_on_hover(page, server, tmp_path):
    """What is written on the canvas is heard: no name begins left of the map or ends right of it."""
    names = [f"a long name of the kind {number:03d} of things" for number in range(200)]
    make_large_run(server.runs, COUNT, name="far-names", images=tmp_path / "names.npz", class_names=names)
    page.set_viewport_size({"width": 420, "height": 900})
    page.add_init_script(
        """window.written = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
          if (this.textAlign === "center" && rest.length === 0 || rest.length)
            window.written.push([text, x, y, Math.min(this.measureText(text).width, rest[0] ?? Infinity)]);
          return write.call(this, text, x, y, ...rest);
        };"""
    )
    found = opened(page, server, "names")
    box = found.bounding_box()
    page.evaluate("window.written.length = 0")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(4):
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(150)
    written = page.evaluate("window.written")
    assert len(written) > 10
    for text, x, _, width in written:
        assert x - width / 2 >= 0 and x + width / 2 <= box["width"], text
    page.wait_for_timeout(300)
    last = {
        text: (x, y) for text, x, y, _ in page.evaluate("window.written")[-int(found.get_attribute("data-names")) :]
    }
    titles = set()
    for x, y in last.values():
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.wait_for_timeout(50)
        titles.add(found.locator("canvas.top").get_attribute("title") or "")
    assert titles & set(names), titles


def closer(page, found, *, least: int, times: int = 0) -> dict:
    """Zoom in on a sample near the middle until so many pictures are in sight, and so many times more."""
    box = found.bounding_box()
    picture = shot(page, found)
    y, x = np.nonzero(np.abs(picture - picture[2, 2]).max(axis=2) > 80)
    near = np.hypot(x - box["width"] / 2, y - box["height"] / 2).argmin()
    page.mouse.move(box["x"] + float(x[near]), box["y"] + float(y[near]))
    for _ in range(20):
        page.mouse.wheel(0, -250)
        page.wait_for_timeout(250)
        if int(found.get_attribute("data-faces") or 0) >= least:
            break
    for _ in range(times):
        page.mouse.wheel(0, -250)
    page.wait_for_function("(map) => Number(map.dataset.faces) > 0", arg=found.element_handle())
    page.wait_for_timeout(300)
    return box


def still(page, found) -> np.ndarray:
    """What the map shows once nothing changes and nothing is under the mouse."""
    page.mouse.move(1, 1)
    before = None
    for _ in range(30):
        page.wait_for_timeout(150)
        picture = shot(page, found)
        if before is not None and (picture == before).all():
            break
        before = picture
    return picture


def overlap(one: dict, other: dict) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )


def inside(one: dict, other: dict) -> bool:
    return all(
        other[at] - 1 <= one[at] and one[at] + one[size] <= other[at] + other[size] + 1
        for at, size in (("x", "width"), ("y", "height"))
    )
