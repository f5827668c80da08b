"""A disk that is full or read-only, data or a run that vanish: a sentence, and the last checkpoint is whole."""

import errno
import json
import os
from pathlib import Path

import pytest

from bon_core.base import files
from bon_core.cli.main import main
from bon_core.config import InputError
from bon_core.runs import store
from bon_core.runs.run import Run, Status
from bon_core.training import experiment
from bon_core.training.checkpoint import load_tree
from tests.robustness.child import NAME, Trouble, config, start
from tests.robustness.trained import PATIENCE, check_resumed


def refused(folder: Path, data: Path, trouble: Trouble) -> str:
    """The sentence with which a training under `trouble` ends."""
    child = start(folder, data, trouble)
    child.join(PATIENCE)
    assert child.exitcode == 0, (folder / "words").read_text()
    sentence = (folder / "refused").read_text()
    (folder / "refused").unlink()
    return sentence


def test_a_full_disk_ends_a_training_that_goes_on_when_there_is_room(small_file, tmp_path, whole):
    sentence = refused(tmp_path, small_file, Trouble(full=3))
    run = Run(tmp_path / NAME)
    assert sentence == (
        f"The run {NAME} could not be written (File too large); make room, then continue from its last checkpoint with"
        " --resume."
    )
    assert (run.status().state, run.status().message) == ("failed", sentence)
    assert load_tree(run.checkpoint)["step"] == 12
    assert [line["what"] for line in run.logged()][-2:] == ["saved", "failed"]
    check_resumed(tmp_path, small_file, whole[0])


def test_a_run_deleted_while_it_trains_stays_deleted(small_file, tmp_path):
    sentence = refused(tmp_path, small_file, Trouble(vanishes=2))
    assert sentence == "The directory of run run is gone: it was deleted or moved meanwhile; train it anew."
    assert not (tmp_path / NAME).exists()
    assert load_tree(tmp_path / "elsewhere" / "checkpoint.safetensors")["step"] == 8


def test_data_that_vanished_is_named_and_the_run_waits_for_it(small_file, tmp_path, whole):
    data = tmp_path / "small.npz"
    data.write_bytes(small_file.read_bytes())
    child = start(tmp_path, data, Trouble(half=4))
    child.join(PATIENCE)
    data.rename(tmp_path / "away.npz")
    run = Run(tmp_path / NAME)
    before = run.checkpoint.read_bytes()
    sentence = refused(tmp_path, data, Trouble())
    assert sentence.startswith(f"There is no data set {str(data)!r}") and sentence.endswith("check the path.")
    assert run.status().state == "interrupted"
    assert run.checkpoint.read_bytes() == before
    (tmp_path / "away.npz").rename(data)
    check_resumed(tmp_path, data, whole[0])


@pytest.fixture
def read_only(monkeypatch):
    """No file can be made any more, whoever asks; the rights of a folder do not bind the superuser."""

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def begin():
        monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
        monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)

    return begin


def test_a_read_only_folder_takes_no_run(small_file, runs_folder, read_only, capsys):
    read_only()
    assert main(["train", "--data", str(small_file), "--run", "first", "--classes", "4", "--groups", "2"]) == 2
    assert "cannot be made (Read-only file system); choose a folder" in capsys.readouterr().err
    assert not list(runs_folder.iterdir())


def test_a_run_that_became_read_only_is_said_and_left_as_it_is(small_file, runs_folder, read_only):
    run = store.create("first", config(small_file))
    run.write_status(Status(state="stopped"))
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    read_only()
    with pytest.raises(InputError, match=r"could not be written \(Read-only file system\); give it write access"):
        experiment.resume("first")
    assert before.items() <= {path.name: path.read_bytes() for path in run.path.iterdir()}.items()


def test_two_processes_never_train_one_run(small_file, runs_folder):
    run = store.create("first", config(small_file))
    run.write_status(Status(state="stopped"))
    with run.claimed(), pytest.raises(InputError, match="at work in another process; stop that one first"):
        experiment.resume("first")
    assert run.status().state == "stopped"


def test_the_log_tells_what_happened(small_file, tmp_path, whole):
    child = start(tmp_path, small_file, Trouble(half=3))
    child.join(PATIENCE)
    check_resumed(tmp_path, small_file, whole[0])
    run = Run(tmp_path / NAME)
    told = [(line["what"], line.get("step")) for line in run.logged()]
    assert told[:3] == [("began", 0), ("saved", 4), ("saved", 8)]  # and then it was killed
    assert told[3:5] == [("began", 8), ("saved", 12)] and told[-1] == ("finished", None)
    began = run.logged()[0]
    assert began["device"] == "cpu" and began["threads"] == 1 and "torch" in began["packages"]
    assert all(json.dumps(line) and line["time"].endswith("+00:00") and line["process"] for line in run.logged())
