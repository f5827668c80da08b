"""The linked selection in a browser: names that outlive a reload, set algebra, files to take away, broken links."""

import csv

import pytest

from tests.app.tiny import make_images, make_run
from tests.e2e.test_explore import chip, wait_for_chip

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def named(server, tmp_path_factory):
    """A run of its own among the server's runs."""
    folder = tmp_path_factory.mktemp("data")
    return make_run(server.runs, make_images(folder), folder / "tiny.npz", name="named")


def open_chip(page) -> None:
    page.locator(".st-key-selection-chip button:visible").first.click()


def keep(page, name: str) -> None:
    open_chip(page)
    page.get_by_label("Keep it with the run, as").fill(name)
    page.keyboard.press("Enter")
    page.get_by_text(f"{name} ·").wait_for()
    page.keyboard.press("Escape")


def test_named_sets_outlive_a_reload_and_combine(page, server, named):
    page.goto(f"{server.address}/buckets?run=named&sel=class:6")
    wait_for_chip(page, "12 / 48")
    keep(page, "sixes")
    page.goto(f"{server.address}/clusters?run=named&sel=cluster:0")
    wait_for_chip(page, "24 / 48")
    keep(page, "the first learner's")
    page.goto(f"{server.address}/retrieval?run=named")
    wait_for_chip(page, "0 / 48")
    open_chip(page)
    page.get_by_text("sixes · 12").wait_for()
    page.get_by_role("button", name="Select these 12").click()  # sixes ∩ the first learner's
    wait_for_chip(page, "12 / 48")
    page.wait_for_url("**sel=**")


def test_leaving_the_chip_by_escape_keeps_the_selection(page, server, named):
    page.goto(f"{server.address}/buckets?run=named&sel=class:6")
    wait_for_chip(page, "12 / 48")
    open_chip(page)
    page.get_by_role("button", name="Invert").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Invert").wait_for(state="hidden")
    page.wait_for_timeout(700)
    assert chip(page) == "12 / 48"


def test_the_selection_is_taken_away_as_csv_and_parquet(page, server, named):
    page.goto(f"{server.address}/buckets?run=named&sel=class:6")
    wait_for_chip(page, "12 / 48")
    open_chip(page)
    for kind in ("CSV", "Parquet"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=kind, exact=True).click()
        assert waiting.value.suggested_filename == f"named-selection.{kind.lower()}"
        if kind == "CSV":
            rows = list(csv.DictReader(waiting.value.path().open(encoding="utf-8")))
            assert len(rows) == 12 and {row["class"] for row in rows} == {"G"}


def test_a_link_with_what_is_gone_says_so_and_the_page_works(page, server, named):
    page.goto(f"{server.address}/buckets?run=named&sel=set:nobody")
    page.get_by_text("The link selects what is not here: set nobody.").wait_for()
    assert chip(page) == "0 / 48"
    page.get_by_role("button", name="Select these").click()
    page.get_by_text("The link selects").wait_for(state="detached")
