"""A visit to the hash buckets: the linked selection, links, what is odd."""

import numpy as np
import pytest

from app import selection
from tests.app.records import at, words


def fullest(run, split: int = 1) -> tuple[int, np.ndarray]:
    """The fullest bucket of a split, the lowest code if several are, and the ids in it."""
    snapshot = run.snapshot()
    rows = np.flatnonzero(np.asarray(snapshot.split) == split)
    codes = np.asarray(snapshot.codes)[rows]
    code = int(np.bincount(codes).argmax())
    return code, np.sort(np.asarray(snapshot.ids)[rows[codes == code]])


def selected(app) -> list[int]:
    return app.session_state[selection.KEY].now.ids.tolist()


def test_the_fullest_bucket_is_shown_and_can_be_selected(visit, tiny_run):
    code, ids = fullest(tiny_run)
    app = visit("buckets")
    assert f"Bucket {code:#x}" in words(app)
    app.button(key="bucket-select").click().run()
    assert selected(app) == ids.tolist()
    assert f"Bucket {code:#x}" in words(app)


def test_a_selection_leads_to_the_bucket_that_holds_most_of_it(visit, tiny_run):
    snapshot = tiny_run.snapshot()
    codes = np.asarray(snapshot.codes)[np.asarray(snapshot.labels) == 6]
    counts = np.bincount(codes)
    app = visit("buckets", sel="class:6")
    shown = at(app, "bucket")
    assert counts[shown] == counts.max()


def test_adding_a_bucket_keeps_what_was_selected(visit, tiny_run):
    code, ids = fullest(tiny_run)
    app = visit("buckets", sel="class:6", bucket=str(code))
    before = selected(app)
    app.button(key="bucket-add").click().run()
    assert selected(app) == np.union1d(before, ids).tolist()
    assert f"Bucket {code:#x}" in words(app), "the page stays in the bucket"


def test_a_code_can_be_typed_as_hex_number_or_bits(visit, tiny_run):
    app = visit("buckets")
    for typed, code in (("0x3", 3), ("12", 12), ("0101", 5)):
        app.text_input(key="bucket-search").set_value(typed).run()
        assert f"Bucket {code:#x}" in words(app)


@pytest.mark.parametrize("typed", ["99", "0x10", "bucket", "-1"])
def test_a_code_that_cannot_be_is_said(visit, tiny_run, typed):
    app = visit("buckets")
    app.text_input(key="bucket-search").set_value(typed).run()
    assert "codes of 4 bits run from 0x0 to 0xf" in words(app)


@pytest.mark.parametrize("link", ["16", "-1", "many", "99999999999999999999999"])
def test_a_link_to_a_bucket_out_of_range_is_said_and_the_rest_works(visit, tiny_run, link):
    code, _ = fullest(tiny_run)
    text = words(visit("buckets", bucket=link))
    assert f"The link names the bucket {link}, which is not there" in text
    assert f"Bucket {code:#x}" in text


def test_an_empty_bucket_says_so(visit, tiny_run):
    snapshot = tiny_run.snapshot()
    codes = np.asarray(snapshot.codes)[np.asarray(snapshot.split) == 1]
    empty = next(code for code in range(16) if code not in codes)
    text = words(visit("buckets", bucket=str(empty)))
    assert "No test sample has this code." in text


def test_a_run_without_bucket_figures_says_where_they_come_from(visit, tiny_run):
    (tiny_run.path / "events.jsonl").unlink()
    assert "This run kept no bucket figures." in words(visit("buckets"))


def test_buckets_made_afterwards_are_called_that(visit, tiny_run):
    meta = tiny_run.snapshot_path(40) / "meta.json"
    meta.write_text(meta.read_text(encoding="utf-8").replace('"mined"', '"fitted"'), encoding="utf-8")
    assert "did not mine with Bag of Negatives" in words(visit("buckets"))
