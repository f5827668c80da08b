"""Mined negatives and learners in a browser: a step replayed, the margin dragged, the miners side by side, a move."""

import re

import pytest

from tests.app.records import add_audit, add_clusterings
from tests.app.tiny import make_images, make_run
from tests.e2e.test_explore import wait_for_chip

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def recorded(server, tmp_path_factory):
    """A run with an audit log and two clusterings among the server's runs."""
    folder = tmp_path_factory.mktemp("data")
    run = make_run(server.runs, make_images(folder), folder / "tiny.npz", name="replayed")
    add_audit(run)
    add_clusterings(run)
    return run


def test_a_recorded_step_is_replayed_and_linked(page, server, recorded):
    page.goto(f"{server.address}/negatives?run=replayed&step=20")
    page.get_by_role("heading", name="The triplets").wait_for()
    page.get_by_role("button", name="Back").click()
    page.wait_for_url("**step=10**")
    page.get_by_role("button", name="Select this batch").click()
    wait_for_chip(page, "0 + 8 / 48")  # the batch is of the training split


def test_the_margin_is_dragged_by_keys(page, server, recorded):
    page.goto(f"{server.address}/negatives?run=replayed&show=Drag+the+margin")
    plot = page.get_by_role("img", name=re.compile("with the line of margin"))
    assert plot.get_attribute("aria-label").endswith("margin 0.20")
    assert page.get_by_text("50 %").first.is_visible()
    page.get_by_role("slider").press("End")
    page.get_by_role("img", name="with the line of margin 1.00").wait_for()
    page.get_by_text("100 %").first.wait_for()


def test_twelve_miners_stand_side_by_side(page, server, recorded):
    page.goto(f"{server.address}/negatives?run=replayed&show=Miners+side+by+side")
    lines = page.locator(".gap .line:not(.head)")
    lines.first.wait_for()
    assert lines.count() == 12
    exact = lines.filter(has_text="the hardest there is")
    assert "0" in exact.locator(".caption b").first.inner_text()
    address = page.url
    exact.get_by_role("button").first.click()  # its choice becomes the anchor
    page.wait_for_url(lambda url: url != address and "anchor=" in url)


def test_a_move_between_learners_is_selected_by_keyboard(page, server, recorded):
    page.goto(f"{server.address}/clusters?run=replayed&split=train")
    page.get_by_text("k-means divided the data: 2 times").wait_for()
    move = page.get_by_role("button", name=re.compile(r"learner \d → learner \d · [12]$")).first
    move.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => /^[12] \\/ 48/m.test(document.querySelector('.st-key-selection-chip').innerText)")
    page.wait_for_url("**sel=**")
