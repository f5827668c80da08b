"""Suspicious labels by keyboard alone: step, judge, undo, and find the verdicts again after a reload."""

import re

import pytest

from app.views.negatives.triage import Verdicts
from bon_core.runs.run import Run
from tests.app.records import add_audit
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def mined(server, tmp_path_factory):
    """A run with an audit log among the server's runs."""
    folder = tmp_path_factory.mktemp("data")
    run = make_run(server.runs, make_images(folder), folder / "tiny.npz", name="mined")
    add_audit(run)
    return run


def asked(page) -> str:
    return page.get_by_role("heading", name="Is it").inner_text()


def wait_for_judged(page, number: int) -> None:
    page.get_by_text(re.compile(rf"^{number} of \d+ judged$")).wait_for()


def test_keys_step_judge_and_undo(page, server, mined):
    page.goto(f"{server.address}/negatives?run=mined&show=Suspicious+labels")
    wait_for_judged(page, 0)
    first = asked(page)
    address = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != address)
    page.keyboard.press("k")
    page.wait_for_function("words => document.body.innerText.includes(words)", arg=first)
    page.keyboard.press("1")
    wait_for_judged(page, 1)
    page.keyboard.press("2")
    wait_for_judged(page, 2)
    page.keyboard.press("u")
    wait_for_judged(page, 1)
    page.reload()
    wait_for_judged(page, 1)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Parquet", exact=True).click()
    assert waiting.value.suggested_filename == "mined-suspects.parquet"
    page.get_by_role("button", name="Select the 1 label errors").click()
    page.locator(".st-key-selection-chip").get_by_text("0 + 1 / 48").first.wait_for()


def test_two_tabs_judge_and_neither_loses_a_verdict(browser, server, tmp_path):
    """What one tab says is shown in the other at its next action, and stays."""
    run = make_run(server.runs, make_images(tmp_path), tmp_path / "tiny.npz", name="judged-by-two")
    add_audit(run)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(f"{server.address}/negatives?run=judged-by-two&show=Suspicious+labels")
        wait_for_judged(tab, 0)
    first = asked(tabs[0])
    for key, number in (("1", 1), ("3", 2)):
        tabs[0].keyboard.press(key)
        wait_for_judged(tabs[0], number)
    assert asked(tabs[1]) == first, "the other tab still shows what it was opened with"
    tabs[1].keyboard.press("j")
    wait_for_judged(tabs[1], 2)
    tabs[1].keyboard.press("j")
    tabs[1].wait_for_timeout(500)
    tabs[1].keyboard.press("2")
    wait_for_judged(tabs[1], 3)
    said = Verdicts.of(Run(run.path)).said
    assert list(said.values()) == ["label error", "fine", "true look-alike"]
    context.close()
