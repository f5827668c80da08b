"""From the first page to the map, a box on it, and the selection on every other page."""

import pytest

from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e

DRAWN = ".map[data-drawn]"  # set once all points are on the screen
OTHER_PAGES = ("Hash buckets", "Mined negatives", "K clusters", "Retrieval")


@pytest.fixture(scope="module")
def tiny(server, tmp_path_factory):
    """The run `tiny` among the server's runs."""
    folder = tmp_path_factory.mktemp("data")
    return make_run(server.runs, make_images(folder), folder / "tiny.npz")


def chip(page) -> str:
    """The count on the selection chip, e.g. "12 / 48"."""
    return next(line for line in page.locator(".st-key-selection-chip").inner_text().split("\n") if "/" in line)


def wait_for_chip(page, text: str) -> None:
    """Wait until the selection chip says `text`."""
    page.locator(".st-key-selection-chip").get_by_text(text).first.wait_for()


def drag_over_the_map(page) -> None:
    """A box over the middle of the map."""
    page.locator(DRAWN).wait_for()
    page.get_by_role("button", name="Box: drag to select (B)").click()
    area = page.locator(DRAWN).bounding_box()
    left, top = area["x"] + 0.2 * area["width"], area["y"] + 0.2 * area["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 0.3 * area["width"], top + 0.3 * area["height"], steps=3)
    page.mouse.move(left + 0.6 * area["width"], top + 0.6 * area["height"], steps=3)
    page.mouse.up()


def test_the_first_page_shows_a_map_without_a_click(page, server, tiny):
    page.goto(f"{server.address}/?run=tiny")
    page.locator(DRAWN).wait_for()
    assert page.get_by_text("What it confuses most").is_visible()


def test_a_selection_on_the_map_follows_to_every_page(page, server, tiny):
    page.goto(f"{server.address}/map?run=tiny")
    drag_over_the_map(page)
    page.wait_for_function("() => /[1-9]\\d* \\/ 48/.test(document.querySelector('.st-key-selection-chip').innerText)")
    count = chip(page)
    page.get_by_text(f"{count.split(' ')[0]} selected").wait_for()
    for name in OTHER_PAGES:
        page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
        page.get_by_role("heading", name=name).wait_for()
        assert chip(page) == count


def test_the_link_opens_the_same_view_for_somebody_else(page, browser, server, tiny):
    page.goto(f"{server.address}/map?run=tiny")
    drag_over_the_map(page)
    page.wait_for_url("**sel=**")
    other = browser.new_context().new_page()
    other.goto(page.url)
    other.locator(".st-key-selection-chip").wait_for()
    assert chip(other) == chip(page)
    other.context.close()


def test_escape_clears_and_undo_brings_back(page, server, tiny):
    page.goto(f"{server.address}/map?run=tiny&sel=class:6")
    wait_for_chip(page, "12 / 48")
    page.locator(DRAWN).wait_for()
    page.keyboard.press("Escape")
    wait_for_chip(page, "0 / 48")
    page.locator(".st-key-selection-undo button").first.click()
    wait_for_chip(page, "12 / 48")
