"""A visit to the training page; nothing is trained here."""

import pytest

from app import jobs


@pytest.fixture
def started(monkeypatch):
    """Commands that the page would start."""
    commands = []
    monkeypatch.setattr(jobs, "start", lambda name, arguments: commands.append((name, list(arguments))))
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
