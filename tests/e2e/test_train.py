"""A training started on the page, watched to its end, and explored."""

import pytest

from bon_core.runs import Run
from tests.app.tiny import make_images

pytestmark = pytest.mark.e2e

PATIENCE = 180_000  # ms: torch is loaded and the map drawn for the first time


def test_a_training_is_started_finished_and_explored(page, server, tmp_path):
    make_images(tmp_path)
    page.goto(f"{server.address}/train")
    page.get_by_role("combobox", name="Data").click()
    page.get_by_role("option", name="a path …").click()
    path = page.get_by_label("Folder, zip or npz")
    path.fill(str(tmp_path / "tiny.npz"))
    path.press("Enter")
    page.get_by_text("More settings").click()
    epochs = page.get_by_role("spinbutton", name="Epochs, not minutes")
    epochs.fill("6")
    epochs.press("Enter")
    name = page.get_by_label("Name of the run")
    name.fill("by-hand")
    name.press("Enter")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("by-hand · finished").wait_for(timeout=PATIENCE)
    page.get_by_text("Held-out retrieval").first.wait_for()

    page.get_by_role("button", name="Explore it").click()
    page.get_by_role("heading", name="Map").wait_for()
    page.wait_for_url("**/map?*run=by-hand*")
    page.locator(".st-key-selection-chip").get_by_text("/").first.wait_for()
    assert page.get_by_role("combobox", name="Run").input_value() == "by-hand"
    assert Run(server.runs / "by-hand").status().state == "finished"


def test_a_training_outlives_the_page_and_stops_when_told(page, browser, server):
    page.goto(f"{server.address}/train")
    page.get_by_label("Name of the run").fill("long")
    page.get_by_label("Name of the run").press("Enter")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("long · training").wait_for(timeout=PATIENCE)
    page.context.close()

    visitor = browser.new_context()
    later = visitor.new_page()
    later.goto(f"{server.address}/train")
    later.get_by_text("long · training").wait_for(timeout=PATIENCE)
    later.get_by_role("button", name="Stop").click()
    later.get_by_text("long · stopped").wait_for(timeout=PATIENCE)
    later.get_by_role("button", name="Resume").wait_for()
    assert Run(server.runs / "long").status().state == "stopped"
    visitor.close()
