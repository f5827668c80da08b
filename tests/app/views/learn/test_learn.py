"""A visit to the guided scenes: predict, reveal, move on, present, open the real page; and runs that lack something."""

import itertools
import json
import re
import shutil

import numpy as np
import pytest

from app import selection
from app.views.learn.prediction import ANSWERS
from bon_core.base import paths
from bon_core.runs.audit import mined_pairs
from bon_core.runs.run import Run
from tests.app.records import add_audit, at, words
from tests.app.tiny import step_event

SCENES = ("margin", "random", "hashing", "divide", "map")
TITLES = {
    "margin": "What does the margin ask for?",
    "random": "How hard is a random negative?",
    "hashing": "What does one look-up find?",
    "divide": "What does a corner of its own bring a learner?",
    "map": "What does the map get wrong?",
}


def press(app, key: str):
    return app.button(key=key).click().run()


def shows(app, scene: str) -> bool:
    return f'<h2 class="lesson">{TITLES[scene]}' in words(app)


def change_meta(run, **changes) -> None:
    for path in run.path.glob("snapshots/*/meta.json"):
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_asks_first_and_answers_then(visit, recorded, scene):
    app = visit("learn", scene=scene)
    assert shows(app, scene)
    assert 'class="answer"' not in words(app) and 'class="takeaway"' not in words(app)
    press(app, "choice-1")
    assert "your prediction" in words(app)
    assert words(app).count("✓") == 1
    assert 'class="takeaway"' in words(app)
    press(app, "again")
    assert 'class="answer"' not in words(app)
    press(app, "reveal")
    assert 'class="answer"' in words(app) and "your prediction" not in words(app)


def test_one_walks_through_all_scenes_and_back(visit, recorded):
    app = visit("learn")
    for before, after in itertools.pairwise(SCENES):
        assert shows(app, before)
        press(app, "scene-next")
        assert app.query_params["scene"] == [after] or app.query_params["scene"] == after
    assert app.button(key="scene-next").disabled
    press(app, "scene-back")
    assert shows(app, "divide")


def test_a_key_that_comes_with_the_address_of_before_still_moves_on(visit, recorded):
    app = visit("learn", scene="margin", present="1")
    for scene in SCENES[1:]:
        app.query_params["scene"] = "margin"  # pressed before the browser was told where the last key led
        press(app, "scene-next")
        assert shows(app, scene)
    app.query_params["present"] = "1"
    press(app, "present")
    app.query_params["present"] = "1"
    press(app, "scene-back")
    assert shows(app, "divide") and "present" not in app.query_params


def test_who_comes_back_to_the_page_goes_on_where_one_left(visit, recorded):
    app = visit("learn", scene="hashing", present="1")
    app.query_params.clear()
    app.switch_page("views/map/map.py").run()
    app.switch_page("views/learn/learn.py").run()
    assert shows(app, "hashing")
    assert "present" not in app.query_params
    app.switch_page("views/map/map.py").run()
    app.query_params["scene"] = "divide"
    app.switch_page("views/learn/learn.py").run()
    assert shows(app, "divide"), "unless the address says otherwise"


def test_a_scene_that_is_not_there_is_said(visit, recorded):
    app = visit("learn", scene="dancing")
    assert "The link names the scene dancing, which is not there" in words(app)
    assert shows(app, "margin")


def test_the_share_that_violates_the_margin_is_the_logs_and_follows_the_margin(visit, recorded):
    app = visit("learn", scene="margin")
    assert "How many</b> of the triplets violate" in words(app)
    press(app, "reveal")
    mined = mined_pairs(recorded.path)
    share = np.mean(mined["d_an"] < mined["d_ap"] + recorded.config.training.margin)
    assert f"<b>{100 * share:.0f} %</b> of the triplets violate a margin of 0.20" in words(app)
    app.slider(key="margin").set_value(0.9).run()
    assert "100 %</b> of the triplets violate a margin of 0.90" in words(app)


def with_loss(run, loss: str, beta: float | None = None) -> None:
    """The run as if it had been trained with that loss; `beta` is the boundary that was logged last."""
    path = run.path / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["training"]["loss"] = loss
    path.write_text(json.dumps(config), encoding="utf-8")
    if beta is not None:
        with (run.path / "events.jsonl").open("a", encoding="utf-8") as events:
            events.write(json.dumps({**step_event(50), "beta": beta}) + "\n")


@pytest.mark.parametrize(
    ("loss", "beta", "asked", "right", "figure"),
    [  # half of the recorded triplets have distances of 0.5 and 0.4, half of 0.2 and 0.9; the margin is 0.2
        ("triplet", None, "had a loss above zero", "between 1 in 5 and 1 in 2", "50 %"),
        ("margin", 0.5, "had a loss above zero", "between 1 in 5 and 1 in 2", "50 %"),  # 0.2 < 0.3 and 0.9 > 0.7
        ("margin", 0.8, "had a loss above zero", "more than half", "100 %"),  # 0.9 < 1.0
        ("margin", None, "violate the margin", "between 1 in 5 and 1 in 2", "50 %"),  # 50 to 100 % had a loss
        ("contrastive", None, "had a loss above zero", "more than half", "100 %"),
        ("multi-similarity", None, "had a loss above zero", "more than half", "100 %"),
    ],
)
def test_the_first_question_is_about_the_runs_own_loss(visit, recorded, loss, beta, asked, right, figure):
    with_loss(recorded, loss, beta)
    app = visit("learn", scene="margin")
    question = re.search('<p class="ask">(.*?)</p>', words(app))[1]
    assert asked in question
    press(app, "reveal")
    assert f'<li class="right"><i>✓</i><span>{right}' in words(app)
    assert f'<div class="value">{figure}' in words(app).replace("\u00a0", " ")


@pytest.mark.parametrize("loss", ["triplet", "margin", "contrastive", "multi-similarity"])
@pytest.mark.parametrize("scene", ["margin", "random"])
def test_only_a_triplet_loss_is_said_to_be_zero_beyond_the_margin(visit, recorded, scene, loss):
    with_loss(recorded, loss)
    app = press(visit("learn", scene=scene), "reveal")
    said = words(app)
    assert ("is zero once the negative is farther away than the positive by the margin" in said) == (loss == "triplet")
    for claim in ("dead weight", "teaches nothing", "still teaches", "learns nothing", "thrown away"):
        assert claim not in said


def test_the_margin_is_in_the_address(visit, recorded):
    assert visit("learn", scene="margin", margin="0.35").slider(key="margin").value == 0.35


def test_an_answer_holds_for_its_run_and_split_alone(visit, recorded):
    app = visit("learn", scene="map")
    press(app, "choice-0")
    app.selectbox(key="split").set_value("train").run()
    assert 'class="answer"' not in words(app)
    app.selectbox(key="split").set_value("test").run()
    assert 'class="answer"' in words(app)


def test_another_anchor_is_another_of_the_split(visit, recorded):
    app = visit("learn", scene="random", anchor=str(int(recorded.snapshot().ids[60])))
    first = at(app, "anchor")
    assert first == recorded.snapshot().ids[60]
    drawn = {at(press(app, "another"), "anchor") for _ in range(6)}
    snapshot = recorded.snapshot()
    assert len(drawn) > 1
    assert drawn <= set(np.asarray(snapshot.ids)[np.asarray(snapshot.split) == 1].tolist())


def test_a_flipped_bit_opens_the_bucket_next_door(visit, recorded):
    snapshot = recorded.snapshot()
    app = visit("learn", scene="hashing", anchor=str(int(snapshot.ids[50])), flip="2")
    code = int(snapshot.codes[50])
    assert f"Bucket {code ^ 2:#x}, 1 bit away from the anchor" in words(app)
    press(app, "own-bucket")
    assert f"Bucket {code:#x}, the anchor" in words(app)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_the_door_opens_the_real_page_at_the_same_state(visit, recorded, scene):
    app = visit("learn", scene=scene, split="train", margin="0.35")
    here = {name: at(app, name) for name in ("anchor", "point", "flip") if name in app.query_params}
    press(app, "learn-link")
    assert not app.exception
    assert app.selectbox(key="split").value == "train"
    page = {"margin": "Mined negatives", "random": "Mined negatives", "hashing": "Hash buckets", "map": "Map"}
    assert f"<h1>{page.get(scene, 'K clusters')}</h1>" in words(app)
    if scene == "margin":
        assert app.segmented_control(key="show").value == "Drag the margin"
        assert app.slider(key="margin").value == 0.35
    if scene == "random":
        assert app.segmented_control(key="show").value == "Miners side by side"
        assert at(app, "anchor") == here["anchor"]
    if scene == "hashing":
        snapshot = recorded.snapshot()
        assert at(app, "bucket") == snapshot.codes[snapshot.position_of[here["anchor"]]] ^ here["flip"]
    if scene == "map":
        assert at(app, "at") == here["point"]
        assert app.selectbox(key="colour").value == "map trust"


def test_presenting_hides_the_header_and_spares_the_selection(visit, recorded):
    app = visit("learn", scene="map", present="1", sel="class:6")
    assert not [button for button in app.button if button.key == "selection-clear"]
    assert app.button(key="reveal").proto.shortcut == "space"
    press(app, "present")
    assert "present" not in app.query_params
    assert len(app.session_state[selection.KEY].now.ids) == 12
    assert app.button(key="selection-clear")


def test_a_run_without_records_says_so_and_offers_the_bundled_one(visit, tiny_run, monkeypatch, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(tiny_run.path, models / "shipped")
    monkeypatch.setattr(paths, "MODELS", models)
    add_audit(Run(models / "shipped"))
    app = visit("learn", scene="margin", run="tiny")
    assert "This run kept no record of triplets" in words(app)
    press(app, "bundled")
    assert app.selectbox(key="run").value == "shipped"
    assert app.button(key="choice-0")


def test_without_a_bundled_run_none_is_offered(visit, tiny_run):
    app = visit("learn", scene="margin")
    assert not [button for button in app.button if button.key == "bundled"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"clusters_origin": "fitted", "learners": 1}, "trained undivided: one learner"),
        ({"clusters_origin": "fitted", "learners": 1, "origin": "embeddings"}, "there are no learners in them"),
    ],
)
def test_a_run_without_learners_says_so_where_they_are_needed(visit, tiny_run, changes, sentence):
    change_meta(tiny_run, **changes)
    assert sentence in words(visit("learn", scene="divide"))
    for scene in ("random", "hashing", "map"):
        app = press(visit("learn", scene=scene), "reveal")
        assert 'class="answer"' in words(app)


def test_collapsed_codes_leave_no_bucket_to_look_into(visit, tiny_run):
    snapshot = tiny_run.snapshot()
    for step in tiny_run.snapshots():
        np.save(tiny_run.snapshot_path(step) / "codes.npy", np.asarray(snapshot.labels).astype(np.int64))
    assert "No bucket of this split holds two classes" in words(visit("learn", scene="hashing"))


def test_without_any_run_one_is_told_what_to_do(visit, empty_runs):
    assert "There is nothing to learn from yet." in words(visit("learn"))


def test_answers_are_kept_when_the_selection_changes(visit, recorded):
    app = visit("learn", scene="map", sel="class:6")
    press(app, "choice-2")
    press(app, "selection-clear")
    assert list(app.session_state[ANSWERS].values()) == [2]


def test_a_bucket_next_door_below_zero_is_said(visit, recorded):
    app = visit("learn", scene="hashing", flip="-3")
    assert "The link names the bits -3, which is not there" in words(app)
