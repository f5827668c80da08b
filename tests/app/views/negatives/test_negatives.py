"""A visit to the mined negatives: replay, side by side, margin, suspicious labels, and a run without records."""

import json
import re

import numpy as np
import pytest
import streamlit as st
import torch

from app import selection, sidecar
from app.view import View
from app.views.negatives import replay
from app.views.negatives.replay import VIOLATING
from app.views.negatives.triage import Verdicts, as_table
from app.widgets.charts import class_pairs
from bon_core.evaluation.suspicion import suspicion
from bon_core.mining import Exact
from tests.app.records import at, words

REPLAY, SIDE_BY_SIDE = "Replay a step", "Miners side by side"
MARGIN, SUSPECTS = "Drag the margin", "Suspicious labels"


def show(app, part: str):
    return app.segmented_control(key="show").set_value(part).run()


def test_the_last_recorded_step_is_replayed(visit, recorded):
    app = visit("negatives")
    assert app.slider(key="step").value == 30
    assert "each seed was drawn at random" in words(app)
    assert "50 %" in words(app), "half of the anchors are active"


def test_stepping_stops_at_the_ends(visit, recorded):
    app = visit("negatives", step="10")
    assert app.slider(key="step").value == 10
    for _ in range(3):
        app.button(key="step-back").click().run()
    assert app.slider(key="step").value == 0
    app.button(key="step-on").click().run()
    assert app.slider(key="step").value == 10


@pytest.mark.parametrize("step", ["31", "-10", "last"])
def test_a_step_that_was_not_recorded_is_said(visit, recorded, step):
    app = visit("negatives", step=step)
    assert f"The link names the step {step}, which is not there; 30 is shown." in words(app)
    assert app.slider(key="step").value == 30


def test_a_batch_without_the_selection_says_so(visit, recorded):
    app = visit("negatives", sel="class:6")
    app.segmented_control(key="anchors-with-selection").set_value("my selection").run()
    assert "No selected sample was in this batch." in words(app)


def test_the_batch_can_be_selected(visit, recorded):
    app = visit("negatives")
    next(button for button in app.button if button.label == "Select this batch").click().run()
    assert len(app.session_state[selection.KEY].now.ids) == 8


@pytest.mark.slow
def test_side_by_side_takes_the_anchor_from_the_selection(visit, recorded):
    snapshot = recorded.snapshot()
    ids = np.asarray(snapshot.ids)[np.asarray(snapshot.labels) == 6]
    app = show(visit("negatives", sel="class:6"), SIDE_BY_SIDE)
    assert "Anchor: G" in words(app)
    assert at(app, "anchor") in ids


@pytest.mark.slow
def test_side_by_side_names_the_batch_of_the_runs_config(visit, tiny_run):
    config = tiny_run.path / "config.json"
    text = (
        config.read_text(encoding="utf-8")
        .replace('"classes": 32', '"classes": 12')
        .replace('"images": 4', '"images": 3')
    )
    config.write_text(text.replace('"groups": 8', '"groups": 4'), encoding="utf-8")
    app = visit("negatives")
    assert "As in this run&#x27;s config: a batch has P = 12 classes of m = 3 images" in words(app)
    assert "G = 4 seeds that bring 2 classes each" in words(app)
    assert "This split has 4 classes to draw from, so here P = 4 and G = 1." in words(app)


@pytest.mark.slow
def test_side_by_side_shows_what_the_librarys_miner_chooses(visit, recorded, monkeypatch):
    view = View(recorded, recorded.snapshot(), "test", "class")
    vectors, labels = np.asarray(view.snapshot.vectors).astype(np.float32), np.asarray(view.snapshot.labels)
    anchor = view.rows[0]
    negatives = view.rows[labels[view.rows] != labels[anchor]]
    hardest = view.ids[np.searchsorted(view.rows, negatives[np.argmax(vectors[negatives] @ vectors[anchor])])]

    def choice() -> int:
        app = visit("negatives", show=SIDE_BY_SIDE, anchor=str(view.snapshot.ids[anchor]))
        boards = [json.loads(element.proto.json or "{}").get("html", "") for element in app.get("bidi_component")]
        line = next(html for html in boards if "exact batch<" in html).split("exact batch<")[1].split('class="name"')[0]
        return int(re.search(r'data-pick="(\d+)"', line)[1])

    assert choice() == hardest
    st.cache_data.clear()
    monkeypatch.setattr(Exact, "_search", lambda self, seeds: torch.full((len(seeds), 1), self.index.count))
    assert choice() != hardest, "where the library finds no mates, the page shows that"


@pytest.mark.slow
def test_side_by_side_says_when_there_is_no_config_behind_the_embedding(visit, tiny_run):
    meta = tiny_run.snapshot_path(40) / "meta.json"
    meta.write_text(meta.read_text(encoding="utf-8").replace('"trained"', '"embeddings"'), encoding="utf-8")
    assert "the defaults are assumed: a batch has P = 32 classes" in words(visit("negatives"))


def test_a_negative_out_of_the_memory_is_replayed_too(visit, recorded, monkeypatch):
    real = replay.read_step

    def far_reaching(folder, step):
        found = dict(real(folder, step))
        elsewhere = np.setdiff1d(recorded.snapshot().ids, found["id"])[: len(found["id"])]
        return {**found, "role": np.full(8, 2), "bucket": np.full(8, -1), "negative": elsewhere}

    monkeypatch.setattr(replay, "read_step", far_reaching)
    assert "the negatives came out of the memory of the latest batches" in words(visit("negatives"))


@pytest.mark.slow
@pytest.mark.parametrize("anchor", ["1234567", "none"])
def test_an_anchor_that_is_gone_is_said(visit, recorded, anchor):
    app = show(visit("negatives", anchor=anchor), SIDE_BY_SIDE)
    assert f"The link names the anchor {anchor}, which is not there" in words(app)
    assert "Anchor: " in words(app)


def test_the_share_of_active_triplets_follows_the_margin(visit, recorded):
    app = show(visit("negatives"), MARGIN)
    assert "50 %" in words(app)
    app.slider(key="margin").set_value(0.9).run()
    assert "100 %" in words(app)


def suspects(app):
    """The page of suspicious labels, of the training split."""
    return show(app, SUSPECTS)


def progress(app) -> str:
    return app.get("progress")[0].proto.text


def test_the_suspects_are_ranked_and_the_first_is_looked_at(visit, recorded):
    app = suspects(visit("negatives"))
    assert re.search(r"Labelled [A-D]\. Is it [A-D]\?", words(app)), "a training sample and a training class"
    assert progress(app).startswith("0 of ")


def test_verdicts_are_counted_undone_and_selected(visit, recorded):
    app = suspects(visit("negatives"))
    first = at(app, "suspect")
    app.button(key="verdict-1").click().run()
    second = at(app, "suspect")
    assert second != first, "a verdict steps on"
    app.button(key="verdict-3").click().run()
    assert progress(app).startswith("2 of ")
    app.button(key="triage-undo").click().run()
    assert progress(app).startswith("1 of ")
    assert at(app, "suspect") == second, "undoing goes back to the sample"
    app.button(key="triage-select").click().run()
    assert app.session_state[selection.KEY].now.ids.tolist() == [first]


def test_stepping_on_and_back_stops_at_the_ends(visit, recorded):
    app = suspects(visit("negatives"))
    first = at(app, "suspect")
    app.button(key="triage-back").click().run()
    assert at(app, "suspect") == first
    app.button(key="triage-next").click().run()
    app.button(key="triage-back").click().run()
    assert at(app, "suspect") == first


def test_verdicts_outlive_the_session(visit, recorded):
    app = suspects(visit("negatives"))
    first = at(app, "suspect")
    app.button(key="verdict-2").click().run()
    assert Verdicts.of(recorded).said == {first: "true look-alike"}
    again = suspects(visit("negatives"))
    assert progress(again).startswith("1 of ")
    assert at(again, "suspect") != first, "a new visit goes on with what is not judged"


def test_damaged_verdicts_are_said(visit, recorded):
    sidecar.path_of(recorded, "verdicts").write_text('{"3": "nonsense"}')
    assert "holds something that is no verdict" in words(suspects(visit("negatives")))


def test_a_link_to_a_suspect_opens_it(visit, recorded):
    app = suspects(visit("negatives"))
    app.button(key="triage-next").click().run()
    link = at(app, "suspect")
    assert at(visit("negatives", show=SUSPECTS, suspect=str(link)), "suspect") == link
    assert "The link names the suspect 77777777" in words(visit("negatives", show=SUSPECTS, suspect="77777777"))


def test_the_table_holds_every_suspect_and_its_verdict(recorded):
    view = View(recorded, recorded.snapshot(), "train", "cluster")
    found = suspicion(
        np.asarray(view.snapshot.labels)[view.rows],
        np.searchsorted(view.rows, np.asarray(view.snapshot.neighbours)[view.rows]),
        np.asarray(view.snapshot.neighbour_distances)[view.rows],
    )
    listed = np.argsort(-found.score)[:5]
    judged, unlisted = int(view.ids[listed[2]]), int(view.ids[np.argmin(found.score)])
    table = as_table(view, found, listed, Verdicts({judged: "fine", unlisted: "label error"}))
    assert table["id"].tolist() == [*view.ids[listed].tolist(), unlisted]
    assert table["verdict"].tolist() == ["", "", "fine", "", "", "label error"]
    assert all(len(column) == 6 for column in table.values())


def test_the_table_names_the_file_of_each_suspect_and_what_else_the_data_says(recorded):
    view = View(recorded, recorded.snapshot(), "train", "cluster")
    found = suspicion(
        np.asarray(view.snapshot.labels)[view.rows],
        np.searchsorted(view.rows, np.asarray(view.snapshot.neighbours)[view.rows]),
        np.asarray(view.snapshot.neighbour_distances)[view.rows],
    )
    count = len(view.snapshot)
    files, codes = [f"train/{number}.png" for number in range(count)], np.arange(count)
    view.snapshot.__dict__["fields"] = {"file": (codes, files), "score": (codes, [str(code) for code in codes])}
    listed = np.argsort(-found.score)[:5]
    table = as_table(view, found, listed, Verdicts({}))
    assert list(table)[:3] == ["id", "file", "label"]
    assert table["file"].tolist() == [files[row] for row in view.rows[listed]]
    assert table["field_score"].tolist() == [str(row) for row in view.rows[listed]]
    assert np.allclose(table["score"], found.score[listed]), "a column of the data set replaces none of the list's"
    assert table["nearest_of_suspected"].tolist() == view.ids[found.witness[listed]].tolist()


@pytest.mark.slow
def test_a_run_without_records_compares_miners_and_lists_suspects(visit, tiny_run):
    app = visit("negatives")
    assert "Anchor: " in words(app)
    for part in (REPLAY, MARGIN):
        assert "This run kept no record of its batches." in words(show(app, part))
    assert re.search(r"Labelled [E-H]\. Is it [E-H]\?", words(show(app, SUSPECTS))), "of the split in the header"


def test_samples_of_the_record_that_are_gone_do_no_harm(visit, recorded, monkeypatch):
    real = replay.read_step
    gone = 10**9

    def forgetful(folder, step):
        found = dict(real(folder, step))
        found["id"] = np.where(np.arange(len(found["id"])) == 0, gone, found["id"])
        return found

    monkeypatch.setattr(replay, "read_step", forgetful)
    assert "The triplets" in words(visit("negatives"))


@pytest.mark.slow
def test_a_link_holds_the_anchors_and_the_draw(visit, recorded):
    assert visit("negatives", anchors=VIOLATING).segmented_control(key="anchors").value == VIOLATING
    app = visit("negatives", show=SIDE_BY_SIDE, draw="3")
    app.button(key="miners-reroll").click().run()
    assert at(app, "draw") == 4


def pairs_of(app) -> list[str]:
    """The names of the pairs of classes on the page, as "A ↔ B 4 times", most first."""
    boards = [json.loads(element.proto.json or "{}").get("html", "") for element in app.get("bidi_component")]
    html = next(html for html in boards if 'class="pairs"' in html)
    found = re.findall(r"<bdi>(.*?)</bdi>.*?↔ <bdi>(.*?)</bdi>.*?class=\"dim\">(.*?)<", html)
    return [f"{one} ↔ {other} {times}" for one, other, times in found]


def test_the_pairs_mined_most_are_counted_over_all_recorded_steps(visit, recorded):
    app = visit("negatives", show="Mined most")
    assert sorted(pairs_of(app)) == sorted(f"{one} ↔ {other} 8 times" for one, other in ("AB", "BC", "CD", "AD"))
    text = words(app)
    assert ">32<" in text and ">4<" in text and "What this model was trained against" in text


def test_of_a_selection_only_its_own_negatives_are_counted(visit, recorded):
    app = visit("negatives", show="Mined most", sel="class:0", split="train")
    assert pairs_of(app) == ["A ↔ D 8 times"]
    assert "What the selection was trained against" in words(app)
    held_out = visit("negatives", show="Mined most", sel="class:6")
    assert "Nothing of the selection was trained on" in words(held_out) and len(pairs_of(held_out)) == 4


def test_a_pair_selects_both_classes(visit, recorded, monkeypatch):
    picks = iter([0])
    monkeypatch.setattr(class_pairs, "board", lambda *_, **__: next(picks, None))
    app = visit("negatives", show="Mined most")
    labels = np.asarray(recorded.snapshot().labels)[
        np.isin(recorded.snapshot().ids, app.session_state[selection.KEY].now.ids)
    ]
    assert len(np.unique(labels)) == 2 and len(labels) == 24


@pytest.mark.slow
def test_two_visitors_judge_and_neither_loses_a_verdict(visit, recorded):
    one, other = suspects(visit("negatives")), suspects(visit("negatives"))
    first = at(one, "suspect")
    one.button(key="verdict-1").click().run()
    second = at(one, "suspect")
    other.button(key="triage-next").click().run()
    assert progress(other).startswith("1 of "), "what was said elsewhere is shown at the next action"
    assert at(other, "suspect") == second
    other.button(key="verdict-3").click().run()
    assert Verdicts.of(recorded).said == {first: "label error", second: "fine"}
    one.button(key="triage-undo").click().run()
    assert Verdicts.of(recorded).said == {second: "fine"}, "one takes back one's own verdict"


def test_the_later_verdict_counts_and_is_not_undone_by_the_other(visit, recorded):
    one, other = suspects(visit("negatives")), suspects(visit("negatives"))
    first = at(one, "suspect")
    one.button(key="verdict-1").click().run()
    other.button(key="verdict-2").click().run()
    assert Verdicts.of(recorded).said == {first: "true look-alike"}
    one.button(key="triage-undo").click().run()
    assert Verdicts.of(recorded).said == {first: "true look-alike"}
    other.button(key="triage-undo").click().run()
    assert Verdicts.of(recorded).said == {first: "label error"}, "what was said before counts again"


def test_two_visitors_name_sets_and_neither_loses_one(visit, recorded):
    one, other = visit("negatives", sel="class:5"), visit("negatives", sel="class:6")
    for app, name in ((one, "ones"), (other, "twos")):
        app.text_input[0].set_value(name)
        next(button for button in app.button if button.label == "Keep").click().run()
    assert list(selection.named(recorded)) == ["ones", "twos"]


@pytest.mark.slow
def test_a_draw_below_zero_is_said(visit, recorded):
    app = visit("negatives", show=SIDE_BY_SIDE, draw="-1")
    assert "The link names the draw -1, which is not there" in words(app)
