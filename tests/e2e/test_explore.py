"""From the first page to the map, a box on it, and the selection on every other page."""

import pytest

from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e

DRAWN = ".map[data-drawn]"  # set once all points are on the screen
FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot) at = at.shadowRoot.activeElement;
  return at.dataset.pick;
}"""
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


def test_back_returns_to_the_selection_and_the_bucket_before(page, server, tiny):
    page.goto(f"{server.address}/buckets?run=tiny&bucket=5")
    page.get_by_role("heading", name="Bucket 0x5").wait_for()
    page.get_by_role("button", name="flip bit 3").click()
    page.get_by_role("heading", name="Bucket 0xd").wait_for()
    page.get_by_role("button", name="flip bit 1").click()
    page.get_by_role("heading", name="Bucket 0xf").wait_for()
    page.wait_for_url("**bucket=15**")
    page.go_back()
    page.get_by_role("heading", name="Bucket 0xd").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Bucket 0x5").wait_for()
    page.go_forward()
    page.get_by_role("heading", name="Bucket 0xd").wait_for()
    page.goto(f"{server.address}/map?run=tiny&sel=class:6")
    wait_for_chip(page, "12 / 48")
    page.locator(DRAWN).wait_for()
    page.keyboard.press("Escape")
    wait_for_chip(page, "0 / 48")
    page.wait_for_url(lambda address: "sel=" not in address)
    page.go_back()
    wait_for_chip(page, "12 / 48")


def test_a_board_is_one_stop_of_the_tab_key_and_keeps_the_focus(page, server, tiny):
    """Arrow keys walk among the cells of the map of classes; what is opened by Enter stays under the finger."""
    page.goto(f"{server.address}/clusters?run=tiny")
    cells = page.locator(".classes button")
    cells.first.wait_for()
    assert cells.evaluate_all("cells => cells.filter((cell) => cell.tabIndex === 0).length") == 1
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    last = cells.last.get_attribute("data-pick")
    assert page.evaluate(FOCUSED) == last
    page.keyboard.press("Enter")
    wait_for_chip(page, "12 / 48")
    page.goto(f"{server.address}/buckets?run=tiny&bucket=5")
    page.get_by_role("button", name="flip bit 3").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Bucket 0xd").wait_for()
    page.wait_for_function(f"() => ({FOCUSED})() === '5'")  # it flips the bit back now


def test_escape_clears_and_undo_brings_back(page, server, tiny):
    page.goto(f"{server.address}/map?run=tiny&sel=class:6")
    wait_for_chip(page, "12 / 48")
    page.locator(DRAWN).wait_for()
    page.keyboard.press("Escape")
    wait_for_chip(page, "0 / 48")
    page.locator(".st-key-selection-undo button").first.click()
    wait_for_chip(page, "12 / 48")
