"""A visit to the Timeline: films of UMAP maps, of live maps only, and none at all."""

import json

import numpy as np
import pytest

from app import selection
from bon_core.runs.run import Run
from tests.app.records import MOMENTS, add_timeline, at, words


def add_old_previews(run: Run) -> None:
    recorded = add_timeline(run)
    run.timeline_path.unlink()
    (run.path / "previews").mkdir()
    for place, step in enumerate(MOMENTS):
        np.savez(
            run.preview_path(step), step=step, ids=recorded["ids"], labels=recorded["labels"], xy=recorded["xy"][place]
        )


def film(app) -> dict:
    """What the browser gets of the film."""
    return next(
        found for element in app.get("bidi_component") if "steps" in (found := json.loads(element.proto.json or "{}"))
    )


def test_the_film_rests_at_its_end_with_recall_and_phases(visit, tiny_run):
    add_timeline(tiny_run)
    app = visit("timeline")
    shown = film(app)
    assert shown["steps"] == list(MOMENTS) and shown["moment"] == at(app, "moment") == 40
    assert shown["recall"] == [[step, 0.5 + step / 200] for step in (0, 10, 20, 30, 40)]
    assert [phase[:3] for phase in shown["phases"]] == [[0, 20, "warm-up"], [20, 40, "split"]]


def test_a_link_to_a_moment_shows_who_turned_there(visit, tiny_run):
    recorded = add_timeline(tiny_run)
    assert "**Turned right** · 4" in words(visit("timeline", moment="40"))
    app = visit("timeline", moment="20")
    assert film(app)["moment"] == 20 and "**Turned right** · 0" in words(app)
    app = visit("timeline", moment="40")
    app.button(key="turned-False").click().run()
    assert app.session_state[selection.KEY].now.ids.tolist() == [int(recorded["ids"][10])]


@pytest.mark.parametrize("moment", ["7", "-1", "soon"])
def test_a_moment_that_was_not_recorded_is_said(visit, tiny_run, moment):
    add_timeline(tiny_run)
    app = visit("timeline", moment=moment)
    assert f"The link names the moment {moment}, which is not there" in words(app) and at(app, "moment") == 40


def test_the_selection_is_lit_and_classes_are_followed_without_one(visit, tiny_run):
    recorded = add_timeline(tiny_run)
    shown = film(visit("timeline"))
    assert shown["selected"] == [] and 1 <= len(shown["followed"]) <= 3
    for places, name in shown["followed"]:
        assert {tiny_run.snapshot().class_names[recorded["labels"][place]] for place in places} == {name}
    shown = film(visit("timeline", sel="class:5"))
    assert shown["selected"] == np.flatnonzero(recorded["labels"] == 5).tolist() and shown["followed"] == []


def test_right_and_wrong_change_with_the_moment(visit, tiny_run):
    recorded = add_timeline(tiny_run)
    shown = film(visit("timeline", colour="right / wrong"))
    assert np.array_equal(np.array(shown["colours"]) == 0, recorded["correct"])
    assert len(film(visit("timeline", colour="class"))["colours"]) == 1


def test_on_the_train_split_the_film_still_shows_what_it_recorded(visit, tiny_run):
    add_timeline(tiny_run)
    app = visit("timeline", split="train", colour="class")
    assert "The film is of the test split" in words(app)
    assert min(film(app)["colours"][0]) >= 0


def test_a_run_of_an_older_version_plays_its_live_maps_and_says_so(visit, tiny_run):
    add_old_previews(tiny_run)
    app = visit("timeline")
    assert film(app)["steps"] == list(MOMENTS)
    assert "PCA" in words(app) and "Turned right" not in words(app)


def test_without_moments_the_page_says_what_to_do(visit, tiny_run):
    assert "No moments of this training were recorded." in words(visit("timeline"))


def test_a_film_cut_short_is_said_in_a_sentence(visit, tiny_run):
    add_timeline(tiny_run)
    whole = tiny_run.timeline_path.read_bytes()
    for content in (b"", whole[:200], whole[: len(whole) // 2]):
        tiny_run.timeline_path.write_bytes(content)
        text = words(visit("timeline"))
        assert "timeline.npz" in text and "The other pages still work" in text


def test_a_film_without_its_maps_is_said_in_a_sentence(visit, tiny_run):
    recorded = add_timeline(tiny_run)
    np.savez(tiny_run.timeline_path, steps=recorded["steps"], ids=recorded["ids"])
    assert "The film of run tiny lacks labels, projection, xy" in words(visit("timeline"))


def test_events_that_lack_something_leave_the_film_alone(visit, tiny_run):
    add_timeline(tiny_run)
    with (tiny_run.path / "events.jsonl").open("a", encoding="utf-8") as events:
        events.write('{"kind": "evaluation", "step": 41}\n{"kind": "step", "step": 41, "phase": "new"}\n{"kind": "st')
    assert len(film(visit("timeline"))["phases"]) == 2
