"""A visit to the training page; nothing is trained here."""

import json
import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app import jobs, theme
from app.phases import PHASES
from app.views.train.live import _dots
from app.widgets.map.webgl_map.plane import Beyond, Bounds
from bon_core.cli.main import _parser
from bon_core.cli.options import config_of
from bon_core.config import DivisionConfig
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.slow


@pytest.fixture
def started(monkeypatch):
    """Commands that the page would start; each must be one that the command line knows."""
    commands = []

    def start(name, arguments):
        _parser().parse_args(arguments)
        commands.append((name, list(arguments)))

    monkeypatch.setattr(jobs, "start", start)
    return commands


def boards(app) -> str:
    return "\n".join(json.loads(element.proto.json or "{}").get("html", "") for element in app.get("bidi_component"))


def bodies(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_a_finished_run_shows_its_curves(visit, tiny_run):
    app = visit("train")
    assert "70.0 %" in bodies(app)
    drawn = boards(app)
    for words in (
        "Recall@1 and MAP@R on held-out classes",
        "loss",
        "anchors violating the margin",
        "mining, ms a step",
    ):
        assert f'{words} over the epochs"' in drawn
    assert "Recall@1: 70 % at 4<" in drawn and "MAP@R: 30 % at 4<" in drawn
    assert drawn.count(f'style="fill:{PHASES["split"]}') == drawn.count("<svg"), "each shows when learners work apart"


def test_the_newest_map_is_drawn_point_by_point():
    preview = {"xy": np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [99.0, 10.0]]), "labels": np.array([0, 1, 1, 2])}
    html = _dots(preview, Bounds((0.0, 0.0), (10.0, 10.0)), [Beyond(1, 0, 1)])
    assert f'stroke="{theme.HUES[0]}" d="M0 1000h0"' in html
    assert f'stroke="{theme.HUES[1]}" d="M1000 1000h0M1000 0h0"' in html
    assert f'stroke="{theme.HUES[2]}" d=""' in html, "what lies outside is not drawn"
    assert 'class="x1 y0" title="1 sample lies outside, right' in html


def test_the_button_starts_the_command_that_the_settings_say(visit, tiny_run, started):
    app = visit("train")
    app.number_input(key="train-learners").set_value(2)
    app.text_input(key="train-name").set_value("mine")
    app.run()
    app.button(key="train-start").click().run()
    ((name, arguments),) = started
    assert name == "mine" and arguments[0] == "train" and "--queue" in arguments
    options = dict(zip(arguments[1:-3:2], arguments[2:-3:2], strict=False))
    assert options["--learners"] == "2" and options["--miner"] == "bon" and options["--data"] == "glyphs"
    assert options["--minutes"] == "2" and "--epochs" not in options
    assert "The run measures itself and keeps to the minutes" in bodies(app)


def test_a_miner_that_chooses_itself_and_the_options_of_division(visit, tiny_run, started):
    app = visit("train")
    app.selectbox(key="train-miner").set_value("semi-hard").run()
    assert [box.value for box in app.selectbox if box.label == "Choice inside a batch"] == ["semi-hard"]
    next(toggle for toggle in app.toggle if toggle.label.startswith("Double")).set_value(True).run()
    (told,) = (code.value for code in app.code)
    assert "--miner semi-hard" in told and "--doubling" in told and "--warmup" not in told
    app.button(key="train-start").click().run()
    ((_, arguments),) = started
    config = config_of(_parser().parse_args(arguments))
    assert config.mining.miner == "semi-hard" and config.division.doubling
    assert config.division.warmup == DivisionConfig().warmup and not app.exception


def test_without_division_its_options_are_not_shown(visit, tiny_run):
    app = visit("train")
    app.number_input(key="train-learners").set_value(1).run()
    assert not any(toggle.label.startswith("Double") for toggle in app.toggle)


def test_vectors_get_a_head_and_no_backbone_for_images(visit, tiny_run, started, vectors_file):
    app = visit("train")
    app.selectbox(key="train-data-choice").set_value("a path …").run()
    app.text_input(key="train-path").set_value(str(vectors_file)).run()
    app.number_input(key="train-learners").set_value(1).run()
    box = next(box for box in app.selectbox if box.label == "Backbone")
    assert box.options == ["linear", "mlp"] and "over 180 vectors" in bodies(app)
    assert "--backbone" not in app.code[0].value
    box.set_value("mlp").run()
    assert "--backbone mlp" in app.code[0].value
    app.button(key="train-start").click().run()
    ((_, arguments),) = started
    config = config_of(_parser().parse_args(arguments))
    assert config.network.backbone == "mlp" and config.data.name == str(vectors_file)
    assert config.mining.classes <= 18


def test_a_taken_name_is_refused_in_a_sentence(visit, tiny_run, started):
    app = visit("train")
    app.text_input(key="train-name").set_value("tiny").run()
    app.button(key="train-start").click().run()
    assert "already a run named tiny" in bodies(app) and not started


def test_deleting_asks_first_and_then_removes(visit, tiny_run):
    app = visit("train")
    app.button(key="delete").click().run()
    assert not tiny_run.path.exists()
    assert not app.exception


def test_without_a_run_the_page_says_what_to_do(visit, empty_runs):
    assert "No run yet" in bodies(visit("train"))


def test_a_resume_that_was_refused_says_why(visit, tiny_run):
    tiny_run.write_status(replace(tiny_run.status(), state="stopped"))
    command = [sys.executable, "-c", "raise SystemExit('There is no data set; check the path.')"]
    jobs._spawn("tiny", command)
    jobs._children["tiny"].wait()
    app = visit("train", run="tiny")
    assert "It was not resumed. There is no data set; check the path." in bodies(app)


def test_a_resume_on_its_way_is_seen_before_the_run_knows(visit, tiny_run):
    tiny_run.write_status(replace(tiny_run.status(), state="interrupted"))
    jobs._spawn("tiny", [sys.executable, "-c", "import time; time.sleep(20)"])
    try:
        app = visit("train", run="tiny")
        assert next(pill.options[0] for pill in app.get("button_group")).endswith("waiting")
    finally:
        jobs._children["tiny"].kill()


def test_the_log_is_shown_newest_first(visit, tiny_run):
    tiny_run.log("began", step=0)
    tiny_run.log("failed", message="The disk is full.")
    (told,) = (code.value for code in visit("train", run="tiny").code if "began" in code.value)
    assert told.index("failed  message The disk is full.") < told.index("began  step 0")


def test_the_data_says_what_was_read_and_the_class_folder_is_part_of_the_command(visit, tiny_run, started, tmp_path):
    for top, name in (("a", "airfield"), ("a", "alley"), ("b", "barn"), ("b", "beach")):
        (tmp_path / "places" / top / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / "places" / top / name / f"{number}.png")
    app = visit("train")
    app.selectbox(key="train-data-choice").set_value("a path …").run()
    app.text_input(key="train-path").set_value(str(tmp_path / "places")).run()
    assert "Took 8 images of 2 classes" in bodies(app) and "--class-level 2 takes the second" in bodies(app)
    app.button_group(key="train-level").set_value(2).run()
    assert "Took 8 images of 4 classes" in bodies(app) and "--class-level 2" in app.code[0].value
    app.text_input(key="train-path").set_value(str(tmp_path / "nowhere")).run()
    assert "There is no data set" in bodies(app)


def settings(app) -> dict[str, object]:
    """What the form says, by label."""
    return {
        widget.label: widget.value for kind in ("selectbox", "number_input", "text_input") for widget in app.get(kind)
    }


def leave_and_reload(app, visit):
    """A new visitor at the address of the page."""
    query = {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}
    return visit("train", **query)


def test_a_reload_keeps_the_path_and_the_settings(visit, tiny_run, vectors_file):
    app = visit("train")
    app.selectbox(key="train-data-choice").set_value("a path …").run()
    app.text_input(key="train-path").set_value(str(vectors_file)).run()
    app.selectbox(key="train-miner").set_value("lsh").run()
    app.number_input(key="train-learners").set_value(2).run()
    app.number_input(key="train-learning_rate").set_value(0.0005).run()
    app.number_input(key="train-warmup").set_value(0.25).run()
    next(toggle for toggle in app.toggle if toggle.label.startswith("Double")).set_value(True).run()
    before, told = settings(app), app.code[0].value
    again = leave_and_reload(app, visit)
    assert settings(again) == before and again.code[0].value == told
    assert "--miner lsh" in told and "--lr 0.0005" in told and "--warmup 0.25" in told and "--doubling" in told


def test_what_the_form_cannot_hold_is_said_and_not_taken(visit, tiny_run):
    app = visit("train", **{"train-learners": "999", "train-miner": "magic", "train-margin": "nan"})
    assert app.number_input(key="train-learners").value == DivisionConfig().learners
    for words in ("Learners K 999", "Miner magic", "Margin nan"):
        assert f"The link names the {words}, which is not there" in bodies(app)


def test_the_same_settings_again(visit, tiny_run):
    config = tiny_run.config
    changed = replace(
        config,
        mining=replace(config.mining, miner="lsh", classes=5, groups=5, bits=7),
        training=replace(config.training, margin=0.35, epochs=12.5, seed=9),
        division=replace(config.division, learners=3, masks="learned"),
    )
    (tiny_run.path / "config.json").write_text(changed.to_json())
    app = visit("train")
    app.button(key="again").click().run()
    found = settings(app)
    assert found["Miner"] == "lsh" and found["Margin"] == 0.35 and found["Seed"] == 9 and found["Slices"] == "learned"
    assert found["Learners K"] == 3 and found["Epochs, not minutes"] == 12.5
    assert found["Images in a folder, zip or npz, vectors, or hf:NAME"] == config.data.name
    assert any("Not in the form" in toast.value and "bits 7" in toast.value for toast in app.toast)


def test_the_same_minutes_again(visit, tiny_run):
    config = tiny_run.config
    timed = replace(config, training=replace(config.training, minutes=7.5))
    (tiny_run.path / "config.json").write_text(timed.to_json())
    app = visit("train")
    app.button(key="again").click().run()
    found = settings(app)
    assert found["Minutes"] == 7.5 and found["Epochs, not minutes"] == 0
    assert "--minutes 7.5" in app.code[0].value and not app.toast


def test_the_settings_of_a_run_are_shown_those_that_differ_first(visit, tiny_run):
    config = replace(tiny_run.config, mining=replace(tiny_run.config.mining, miner="exact"))
    (tiny_run.path / "config.json").write_text(config.to_json())
    shown = visit("train").dataframe[0].value
    assert shown.iloc[0].tolist() != shown.iloc[-1].tolist()
    row = shown[shown["setting"] == "miner"].iloc[0]
    assert (row["value"], row["default"]) == ("exact", "bon")
    same = (shown["value"] == shown["default"]).tolist()
    assert same == sorted(same)


def test_runs_stand_in_a_table(visit, tiny_run, tmp_path):
    make_run(tiny_run.path.parent, make_images(tmp_path), tmp_path / "tiny.npz", name="other")
    shown = visit("train").dataframe[1].value
    assert sorted(shown["run"]) == ["other", "tiny"] and set(shown["state"]) == {"finished"}
    recall = tiny_run.snapshot().metrics["test"]["recall@1"]
    assert shown["Recall@1"].tolist() == pytest.approx([100 * recall] * 2)


def test_a_run_is_renamed_and_what_looks_at_it_follows(visit, tiny_run):
    app = visit("train", run="tiny")
    app.text_input(key="rename-tiny").set_value("better")
    next(button for button in app.button if button.label == "Rename it").click().run()
    assert not tiny_run.path.exists() and (tiny_run.path.parent / "better" / "config.json").exists()
    assert app.selectbox(key="run").value == "better" and "The link names" not in bodies(app)


@pytest.mark.parametrize(
    ("name", "said"), [("a/b", "is not possible"), ("..", "is not possible"), ("other", "already")]
)
def test_a_name_that_cannot_be_is_refused_and_the_run_stays(visit, tiny_run, tmp_path, name, said):
    make_run(tiny_run.path.parent, make_images(tmp_path), tmp_path / "tiny.npz", name="other")
    app = visit("train")
    watched = app.session_state["watched"]
    app.text_input(key=f"rename-{watched}").set_value(name if name != watched else "tiny")
    next(button for button in app.button if button.label == "Rename it").click().run()
    assert said in bodies(app) and sorted(path.name for path in tiny_run.path.parent.glob("*")) == ["other", "tiny"]


def test_a_stopped_run_gets_its_map_from_its_checkpoint(visit, tiny_run, started):
    tiny_run.write_status(replace(tiny_run.status(), state="stopped", step=33))
    assert not any(button.key == "make-map" for button in visit("train").button), "there is no checkpoint"
    tiny_run.checkpoint.write_bytes(b"")
    app = visit("train")
    assert "at step 33" in app.button(key="make-map").help
    app.button(key="make-map").click().run()
    assert started == [("tiny", ["snapshot", "--run", "tiny"])]


def test_a_map_on_its_way_shows_how_far_it_is_and_can_be_cancelled(visit, tiny_run):
    tiny_run.write_status(replace(tiny_run.status(), state="stopped", step=33))
    tiny_run.checkpoint.write_bytes(b"")
    code = "import time; time.sleep(60)"
    jobs._spawn("tiny", [sys.executable, "-c", code, "snapshot"])
    tiny_run.log("survey", stage="searching neighbours", share=0.4)
    try:
        app = visit("train")
        told = [bar.proto.text for bar in app.get("progress")]
        assert any("Making its map of step 33: searching neighbours" in text for text in told)
        assert app.button(key="resume").disabled and app.button(key="make-map").disabled
        app.button(key="cancel-map").click().run()
        assert jobs._children["tiny"].wait(20) != 0 and not app.button(key="make-map").disabled
        assert "Its map was not made" not in bodies(app), "it was cancelled"
    finally:
        jobs._children["tiny"].kill()


def test_a_finished_run_that_is_deleted_leaves_no_complaint(visit, tiny_run):
    jobs._spawn("tiny", [sys.executable, "-c", "print('trustworthiness 0.92')"])
    jobs._children["tiny"].wait()
    app = visit("train")
    app.button(key="delete").click().run()
    assert not tiny_run.path.exists() and "did not start" not in bodies(app) and "No run yet" in bodies(app)


def test_a_finished_run_that_somebody_else_removed_leaves_no_complaint(visit, tiny_run):
    jobs._spawn("tiny", [sys.executable, "-c", "print('trustworthiness 0.92')"])
    jobs._children["tiny"].wait()
    shutil.rmtree(tiny_run.path)
    assert "did not start" not in bodies(visit("train"))


def test_no_option_of_the_command_line_is_said_beside_its_button(visit, tiny_run):
    for message in (
        "Stopped at step 3; continue with --resume.",
        "No room; make room, then continue from its last checkpoint with --resume.",
    ):
        tiny_run.write_status(replace(tiny_run.status(), state="failed", message=message))
        tiny_run.checkpoint.write_bytes(b"")
        app = visit("train")
        said = bodies(app) + "".join(bar.proto.text for bar in app.get("progress"))
        assert "press Resume." in said and "--resume" not in said


def test_the_start_is_pointed_at(visit, tiny_run, started):
    app = visit("train")
    app.button(key="train-start").click().run()
    assert any("is starting; watch it here" in toast.value for toast in app.toast)
    app.run()
    assert not app.toast, "once"


def test_the_first_click_on_another_run_shows_it_and_a_started_one_takes_over(visit, tiny_run, tmp_path):
    make_run(tiny_run.path.parent, make_images(tmp_path), tmp_path / "tiny.npz", name="other")
    app = visit("train")
    pills = next(group for group in app.button_group if group.label == "Runs")
    shown = pills.value
    other = ({"tiny", "other"} - {shown}).pop()
    pills.set_value(other).run()
    assert app.session_state["watched"] == other and app.text_input(key=f"rename-{other}").value == other
    app.run()
    assert next(group for group in app.button_group if group.label == "Runs").value == other
    app.session_state["watched"] = shown
    app.run()
    assert next(group for group in app.button_group if group.label == "Runs").value == shown


def test_a_chosen_run_that_cannot_be_opened_leaves_the_page_as_it_is(visit, tiny_run):
    """Form, table and Delete work; the sentence says what is in the way and names the run in its remedy."""
    shutil.copytree(tiny_run.path, tiny_run.path.parent / "whole")
    for step in tiny_run.snapshots():
        (tiny_run.snapshot_path(step) / "vectors.npy").unlink()
        os.mkfifo(tiny_run.snapshot_path(step) / "vectors.npy")
    app = visit("train", run="tiny")
    assert "vectors.npy is a pipe" in bodies(app) and "snapshot --run tiny." in bodies(app)
    assert app.button(key="train-start") and app.selectbox(key="run").value == "tiny"
    (pills,) = (group for group in app.get("button_group") if group.proto.label == "Runs")
    assert len(pills.proto.options) == 2 and len(app.dataframe)
    app.session_state["watched"] = "tiny"
    app.run()
    app.button(key="delete").click().run()
    assert not tiny_run.path.exists() and not app.exception
