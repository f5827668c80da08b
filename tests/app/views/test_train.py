"""A visit to the training page; nothing is trained here."""

import sys
from dataclasses import replace

import pytest
from PIL import Image

from app import jobs
from bon_core.cli import _config, _parser
from bon_core.config import DivisionConfig


@pytest.fixture
def started(monkeypatch):
    """Commands that the page would start; each must be one that the command line knows."""
    commands = []

    def start(name, arguments):
        _parser().parse_args(arguments)
        commands.append((name, list(arguments)))

    monkeypatch.setattr(jobs, "start", start)
    return commands


def bodies(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_a_finished_run_shows_its_curves(visit, tiny_run):
    app = visit("train")
    assert "70.0 %" in bodies(app)
    assert len(app.get("vega_lite_chart")) >= 4


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
    assert float(options["--epochs"]) > 0


def test_a_miner_that_chooses_itself_and_the_options_of_division(visit, tiny_run, started):
    app = visit("train")
    app.selectbox(key="train-miner").set_value("semi-hard").run()
    assert [box.value for box in app.selectbox if box.label == "Choice inside a batch"] == ["semi-hard"]
    next(toggle for toggle in app.toggle if toggle.label.startswith("Double")).set_value(True).run()
    (told,) = (code.value for code in app.code)
    assert "--miner semi-hard" in told and "--doubling" in told and "--warmup" not in told
    app.button(key="train-start").click().run()
    ((_, arguments),) = started
    config = _config(_parser().parse_args(arguments))
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
    config = _config(_parser().parse_args(arguments))
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
