"""Curves as TensorBoard itself reads them back."""

import builtins
import json
import time
from dataclasses import replace
from threading import Thread

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bon_core.cli.main import TOOLS, main
from bon_core.config import InputError
from bon_core.exports import WRITERS, tensorboard
from bon_core.runs.run import this_process
from tests.app.tiny import step_event


def curves(folder) -> dict[str, list[tuple[int, float]]]:
    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: [(point.step, point.value) for point in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def write_events(run, events: list[dict]) -> None:
    (run.path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


def losses(*points: tuple[int, float]) -> list[dict]:
    return [{**step_event(step), "loss": loss} for step, loss in points]


def wait_until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_number_becomes_a_point(tiny, tmp_path, capsys):
    assert main(["export", "--run", "tiny", "--to", "tensorboard", "--out", str(tmp_path / "tb"), "--json"]) == 0
    found, told = curves(tmp_path / "tb" / "tiny"), json.loads(capsys.readouterr().out)
    assert found["test/recall@1"] == [(step, pytest.approx(0.5 + step / 200)) for step in range(0, 41, 10)]
    assert found["train/loss"] == [(step, pytest.approx(0.2)) for step in range(0, 41, 10)]
    assert not {"train/step", "train/learner", "train/phase", "train/seconds"} & set(found)
    assert told["scalars"] == sum(map(len, found.values()))


def test_its_clock_is_that_of_the_training(tiny, tmp_path):
    tensorboard.write(tiny, str(tmp_path))
    read = EventAccumulator(str(tmp_path / "tiny"))
    read.Reload()
    first, *_, last = read.Scalars("train/loss")
    assert last.wall_time - first.wall_time == pytest.approx(4.0, abs=0.01)


def test_written_twice_it_is_there_once(tiny, tmp_path):
    for _ in range(2):
        tensorboard.write(tiny, str(tmp_path))
    assert len(curves(tmp_path / "tiny")["train/loss"]) == 5
    (tmp_path / "tiny" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="no earlier export"):
        tensorboard.write(tiny, str(tmp_path))


def test_following_shows_new_steps_and_lets_a_resumed_run_live_again(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "POLL_S", 0.02)
    status = replace(tiny.status(), state="running", **this_process())
    tiny.write_status(status)
    write_events(tiny, losses((0, 0.9), (10, 0.8)))
    follower = Thread(target=tensorboard.write, args=(tiny, str(tmp_path)), kwargs={"follow": True})
    follower.start()
    wait_until(lambda: list(tmp_path.glob("tiny/events*")))

    def loss_is(*points):
        return lambda: curves(tmp_path / "tiny").get("train/loss") == [(s, pytest.approx(v)) for s, v in points]

    wait_until(loss_is((0, 0.9), (10, 0.8)))
    write_events(tiny, losses((0, 0.9), (10, 0.8), (20, 0.7), (30, 0.6)))
    wait_until(loss_is((0, 0.9), (10, 0.8), (20, 0.7), (30, 0.6)))
    time.sleep(1.1)  # event files are read in the order of the second they were begun in
    write_events(tiny, losses((0, 0.9), (10, 0.8), (20, 0.5)))  # killed, and resumed from a checkpoint of step 20
    wait_until(loss_is((0, 0.9), (10, 0.8), (20, 0.5)))
    write_events(tiny, losses((0, 0.9), (10, 0.8), (20, 0.5), (30, 0.4)))
    tiny.write_status(replace(status, state="finished"))
    follower.join(60)
    assert not follower.is_alive()
    assert loss_is((0, 0.9), (10, 0.8), (20, 0.5), (30, 0.4))()


def test_its_absence_is_a_sentence(tiny, tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def absent(name, *rest, **more):
        if name.startswith(("tensorboard", "torch.utils.tensorboard")):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert main(["export", "--run", "tiny", "--to", "tensorboard", "--out", str(tmp_path / "tb")]) == 2
    assert capsys.readouterr().err == "TensorBoard is not installed; run: pip install tensorboard.\n"
    assert not list((tmp_path / "tb").glob("*"))


def test_following_is_for_curves(tiny, tmp_path, capsys):
    assert main(["export", "--run", "tiny", "--to", "projector", "--follow", "--out", str(tmp_path / "p")]) == 2
    assert "--follow goes with --to tensorboard" in capsys.readouterr().err


def test_the_command_line_names_every_tool():
    assert set(TOOLS) == set(WRITERS)
