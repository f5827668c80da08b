"""A selection is followed through buckets, negatives, clusters and retrieval by clicking what stands on the pages."""

import pytest

from tests.app.records import add_audit, add_clusterings
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def recorded(server, tmp_path_factory):
    """The run `recorded`, with an audit log and clusterings, among the server's runs."""
    folder = tmp_path_factory.mktemp("data")
    run = make_run(server.runs, make_images(folder), folder / "tiny.npz", name="recorded")
    add_audit(run)
    add_clusterings(run)
    return run


def heading(page, name: str) -> None:
    page.get_by_role("heading", name=name).first.wait_for()


def selected(page, text: str) -> None:
    """Wait until the chip says so, e.g. "12 / 48"."""
    page.wait_for_function(
        "text => document.querySelector('.st-key-selection-chip')?.innerText.replaceAll('\\n', '').includes(text)",
        arg=text,
    )


def test_flipping_a_bit_visits_the_neighbouring_bucket(page, server, recorded):
    page.goto(f"{server.address}/buckets?run=recorded&bucket=5")
    heading(page, "Bucket 0x5")
    page.get_by_role("button", name="flip bit 3").click()
    heading(page, "Bucket 0xd")
    page.wait_for_url("**bucket=13**")


def test_a_bucket_is_selected_and_followed_to_what_was_mined(page, server, recorded):
    page.goto(f"{server.address}/buckets?run=recorded&split=train")
    heading(page, "Pick a bucket")
    page.get_by_role("button", name="What was mined from here").click()
    heading(page, "The triplets")
    page.get_by_text("my selection", exact=True).wait_for()
    page.wait_for_function("() => /[1-9]\\d* \\/ 48/.test(document.querySelector('.st-key-selection-chip').innerText)")


def test_a_picture_of_the_replay_becomes_the_anchor(page, server, recorded):
    page.goto(f"{server.address}/negatives?run=recorded&split=train")
    page.locator(".triplet .face").first.click()
    selected(page, "1 / 48")
    page.get_by_text("Miners side by side", exact=True).click()
    heading(page, "Which negative each miner would choose")
    page.wait_for_url("**anchor=**")
    page.locator(".gap .line").nth(12).wait_for()
    assert page.locator(".gap .line").count() == 13  # the scale and twelve miners


def test_a_learner_is_selected_from_its_card(page, server, recorded):
    page.goto(f"{server.address}/clusters?run=recorded")
    page.get_by_role("button", name="Select all 24").first.click()
    selected(page, "24 / 48")


def test_a_retrieved_picture_becomes_the_query_and_a_pair_the_selection(page, server, recorded):
    page.goto(f"{server.address}/retrieval?run=recorded")
    face = page.locator(".found .face").first
    assert face.evaluate("face => getComputedStyle(face).backgroundImage").startswith('url("data:image/')
    before = page.url
    page.locator(".found .face").first.click()
    page.wait_for_function("url => location.href !== url", arg=before)
    page.locator(".pair").first.click()
    selected(page, "24 / 48")


def test_an_upload_that_is_no_picture_is_said(page, server, recorded):
    page.goto(f"{server.address}/retrieval?run=recorded")
    page.locator("input[type=file]").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"none"})
    page.get_by_text("x.png is no picture that can be read").wait_for()
    page.locator(".found .face").first.wait_for()
