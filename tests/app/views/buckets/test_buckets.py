"""A visit to the hash buckets: the linked selection, links, health over training, what is odd."""

import json
import re

import numpy as np
import pytest

from app import selection
from app.widgets.charts import histogram
from tests.app.records import at, words
from tests.app.tiny import step_event


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


def relog(run, shares: dict[int, float | None], *, warnings: tuple[int, ...] = ()) -> None:
    """Rewrite the run's events: entropy / S at the given steps, and a warning at others."""
    with (run.path / "events.jsonl").open("w", encoding="utf-8") as events:
        for step, share in shares.items():
            events.write(json.dumps({**step_event(step), "entropy_share": share}) + "\n")
        for step in warnings:
            events.write(json.dumps({"kind": "warning", "step": step, "text": f"Codes crowd ({step})."}) + "\n")


def health(app) -> str:
    """The HTML of the health over training."""
    boards = [json.loads(element.proto.json or "{}").get("html", "") for element in app.get("bidi_component")]
    return next(html.rpartition("</style>")[2] for html in boards if 'class="health"' in html)


def test_health_shows_a_panel_a_figure_with_its_meaning_and_its_last_value(visit, tiny_run):
    app = visit("buckets")
    assert "The codes did not collapse" in words(app)
    found = health(app)
    for title in ("Table entropy", "Fallback", "Stale codes", "Empty buckets", "Mining"):
        assert title in found
    assert "90 % at the last step" in found and "2 ms at the last step" in found
    assert "mate places that no bucket could serve" in found


def test_a_figure_that_was_never_logged_has_no_panel(visit, tiny_run):
    path = tiny_run.path / "events.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    steps = [{**event, "staleness": None} for event in lines if event["kind"] == "step"]
    path.write_text("".join(json.dumps(event) + "\n" for event in steps), encoding="utf-8")
    found = health(visit("buckets"))
    assert "Stale codes" not in found and "Empty buckets" in found


@pytest.mark.parametrize(
    ("shares", "said", "loud"),
    [
        (
            {0: 0.5, 10: 0.97, 20: 0.7, 30: 0.6},
            "At the last step the entropy of the table is 60 % of S, down from 97 % of S at step 10",
            True,
        ),
        (
            {0: 0.5, 10: 0.7, 20: 0.7, 30: 0.7},
            "At the last step the entropy of the table is 70 % of S. Below 80 %",
            True,
        ),
        (
            {0: 0.5, 10: 0.97, 20: 0.9, 30: 0.85},
            "The entropy of the table fell from 97 % of S at step 10 to 85 %",
            True,
        ),
        (
            {0: 0.5, 10: 0.97, 20: 0.7, 30: 0.95},
            "The entropy of the table fell to 70 % of S at step 20 and came back to 95 %",
            False,
        ),
        ({0: 0.5, 4: 0.6}, "The first epoch is not over", False),
    ],
)
def test_entropy_that_is_low_or_fell_is_said(visit, tiny_run, shares, said, loud):
    relog(tiny_run, shares)
    text = words(visit("buckets"))
    assert said in text
    assert ('role="alert"' in text) == loud


def test_warnings_of_the_training_are_told_and_marked(visit, tiny_run):
    relog(tiny_run, {0: 0.5, 10: 0.9, 20: 0.7, 30: 0.9}, warnings=(11, 12, 13, 20))
    app = visit("buckets")
    assert "Step 20: Codes crowd (20)." in words(app)
    assert "Step 11:" not in words(app) and "the last of 4 warnings" in words(app)
    marked = re.findall(r'd="M([\d.]+) 0V1000".*?<title>step (\d+): Codes crowd', health(app))
    assert [(float(place), int(step)) for place, step in marked[:4]] == [
        (pytest.approx(1000 * step / 30, abs=0.1), step) for step in (11, 12, 13, 20)
    ]
    assert "step 20&#10;Table entropy  70 %" in health(app) and "Warning: Codes crowd (20)." in health(app)


def test_a_long_log_is_thinned_but_keeps_its_last_step(visit, tiny_run):
    relog(tiny_run, {step: 0.9 if step < 2003 else 0.83 for step in range(2004)})
    chart = health(visit("buckets"))
    places = [float(pair.split(",")[0]) for pair in re.search('points="([^"]+)"', chart)[1].split()]
    assert len(places) < 450 and places[-1] == 1000
    assert "83 % at the last step" in chart and "step 2,003&#10;" in chart


def test_a_run_without_bucket_figures_says_where_they_come_from(visit, tiny_run):
    (tiny_run.path / "events.jsonl").unlink()
    assert "This run kept no bucket figures." in words(visit("buckets"))


def test_a_miner_without_buckets_is_named(visit, tiny_run):
    relog(tiny_run, {0: None, 10: None})
    config = tiny_run.path / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"miner": "bon"', '"miner": "xbm"'), encoding="utf-8")
    assert "This run mined with xbm, which keeps no buckets." in words(visit("buckets"))


def test_embeddings_that_were_brought_have_no_training_to_look_back_on(visit, tiny_run):
    (tiny_run.path / "events.jsonl").unlink()
    meta = tiny_run.snapshot_path(40) / "meta.json"
    meta.write_text(meta.read_text(encoding="utf-8").replace('"trained"', '"embeddings"'), encoding="utf-8")
    assert "These embeddings came ready-made" in words(visit("buckets"))


def test_buckets_made_afterwards_are_called_that(visit, tiny_run):
    meta = tiny_run.snapshot_path(40) / "meta.json"
    meta.write_text(meta.read_text(encoding="utf-8").replace('"mined"', '"fitted"'), encoding="utf-8")
    assert "did not mine with Bag of Negatives" in words(visit("buckets"))


def test_a_link_holds_the_order_of_the_list(visit, tiny_run):
    assert visit("buckets", order="most classes").segmented_control(key="order").value == "most mixed"


def test_a_bar_leads_to_the_buckets_of_its_size_one_by_one(visit, tiny_run, monkeypatch):
    snapshot = tiny_run.snapshot()
    codes, sizes = np.unique(np.asarray(snapshot.codes)[np.asarray(snapshot.split) == 1], return_counts=True)
    size = int(np.bincount(sizes).argmax())
    alike = codes[sizes == size].tolist()
    app = visit("buckets", bucket=str(alike[0]))
    for code in [*alike[1:], alike[0]]:
        picks = iter([str(size - 1)])
        monkeypatch.setattr(histogram, "board", lambda *_, picks=picks, **__: next(picks, None))
        app.run()
        assert at(app, "bucket") == code
