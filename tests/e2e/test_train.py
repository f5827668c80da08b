"""A training started on the page, watched to its end, and explored."""

from urllib.parse import urlencode

import numpy as np
import pytest

from bon_core.runs.run import Run
from tests.app.tiny import make_images

pytestmark = pytest.mark.e2e

TIMEOUT_MS = 180_000  # ms: torch is loaded and the map drawn for the first time


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
    page.get_by_text("by-hand · finished").wait_for(timeout=TIMEOUT_MS)
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
    page.get_by_text("long · training").wait_for(timeout=TIMEOUT_MS)
    page.context.close()

    visitor = browser.new_context()
    later = visitor.new_page()
    later.goto(f"{server.address}/train")
    later.get_by_text("long · training").wait_for(timeout=TIMEOUT_MS)
    later.get_by_role("button", name="Stop").click()
    later.get_by_text("long · stopped").wait_for(timeout=TIMEOUT_MS)
    later.get_by_role("button", name="Resume").wait_for()
    assert Run(server.runs / "long").status().state == "stopped"
    visitor.close()


def test_a_stopped_training_is_explored_from_its_checkpoint(page, server, tmp_path):
    """The form is filled by its address, which a reload keeps."""
    make_images(tmp_path)
    form = {"data-choice": "a path …", "path": str(tmp_path / "tiny.npz"), "epochs": "90000", "name": "halted"}
    page.goto(f"{server.address}/train?{urlencode({f'train-{name}': value for name, value in form.items()})}")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("halted · training").wait_for(timeout=TIMEOUT_MS)
    page.get_by_text("Held-out retrieval").first.wait_for(timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("halted · stopped").wait_for(timeout=TIMEOUT_MS)
    assert page.get_by_label("Folder, zip or npz").input_value() == form["path"]
    step = Run(server.runs / "halted").status().step
    page.get_by_role("button", name="Make its map", disabled=False).click(timeout=TIMEOUT_MS)
    page.get_by_text(f"Making its map of step {step:,}").wait_for(timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Explore it").click(timeout=TIMEOUT_MS)
    page.wait_for_url("**/map?*run=halted*")
    assert page.get_by_role("combobox", name="Run").input_value() == "halted"


def test_embeddings_that_are_explored_open_on_their_map(page, server, tmp_path):
    classes = np.repeat(np.arange(12), 12)
    vectors = np.random.default_rng(0).normal(size=(144, 8)) + 4 * np.eye(12, 8)[classes]
    np.savez(tmp_path / "soon.npz", vectors=vectors.astype(np.float32), labels=classes)
    page.goto(server.address)
    path = page.get_by_label("or a path on this machine")
    path.fill(str(tmp_path / "soon.npz"))
    path.press("Enter")
    page.get_by_role("button", name="Explore them").click()
    page.get_by_text("soon: measuring and mapping").wait_for()
    page.wait_for_url("**/map?*run=soon*", timeout=TIMEOUT_MS)
    page.get_by_role("link", name="Hash buckets", exact=True).first.click()
    page.wait_for_url("**/buckets?*run=soon*")
    assert page.get_by_role("combobox", name="Run").input_value() == "soon"
