import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from bon_core.config import DivisionConfig, InputError, RunConfig
from bon_core.runs import store
from bon_core.runs.run import LOG_FILE, Status, this_process


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BON_RUNS", str(tmp_path))
    return tmp_path


def test_created_runs_keep_their_config():
    config = RunConfig(division=DivisionConfig(learners=2))
    store.create("first", config)
    assert store.open_run("first").config == config
    assert store.open_run("first").status().state == "queued"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a..b", "x" * 65, "sp ace", "nul\0"])
def test_names_never_become_paths(name, own_folder):
    with pytest.raises(InputError, match="run name"):
        store.create(name, RunConfig())
    assert not list(own_folder.iterdir())


def test_a_taken_name_is_refused_and_the_run_kept():
    run = store.create("taken", RunConfig())
    (run.path / "events.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="already a run named taken"):
        store.create("taken", RunConfig())
    assert (run.path / "events.jsonl").exists()


def test_an_unknown_run_is_answered_with_the_known_ones():
    store.create("known", RunConfig())
    with pytest.raises(InputError, match="no run named other; there are: known"):
        store.open_run("other")


def test_a_run_without_its_process_is_interrupted():
    run = store.create("gone", RunConfig())
    status = run.status()
    run.write_status(replace(status, state="running", process_started=status.process_started - 100))
    assert run.status().state == "interrupted"
    run.write_status(replace(status, state="running", process=2**22 + 1))
    assert run.status().state == "interrupted"
    run.write_status(replace(status, state="running", process=os.getpid()))
    assert run.status().state == "running"


def test_a_torn_last_event_is_skipped():
    run = store.create("torn", RunConfig())
    (run.path / "events.jsonl").write_text(json.dumps({"kind": "step", "step": 1}) + "\n" + '{"kind": "st')
    assert run.events() == [{"kind": "step", "step": 1}]
    assert run.events("evaluation") == []


def test_the_queue_is_served_in_order_of_creation():
    made = [store.create(name, RunConfig()) for name in ("one", "two", "three")]
    for moment, run in enumerate(made):
        run.write_status(Status(state="queued", created=moment, **this_process()))
    assert {run.name for run in store.waiting_before(made[2])} == {"one", "two"}
    made[0].write_status(replace(made[0].status(), state="finished"))
    assert list(store.waiting_before(made[1])) == []


def test_runs_are_listed_newest_first():
    older, newer = store.create("older", RunConfig()), store.create("newer", RunConfig())
    os.utime(older.path / "config.json", (time.time() - 60,) * 2)
    assert [run.name for run in store.list_runs() if not run.bundled] == ["newer", "older"]
    assert newer.snapshots() == []
    with pytest.raises(InputError, match="no snapshot yet"):
        newer.snapshot()


def test_a_run_begins_with_the_command_that_made_it():
    run = store.create("told", RunConfig(), command="python -m bon_core train --run told")
    assert run.events() == [{"kind": "message", "step": 0, "text": "python -m bon_core train --run told"}]


def test_of_two_who_make_a_run_of_one_name_one_is_refused(own_folder):
    with (
        pytest.raises(InputError, match="already a run named twin"),
        store.made(own_folder / "twin", RunConfig()) as run,
    ):
        store.create("twin", RunConfig(division=DivisionConfig(learners=2)))
        run.write_status(Status(state="finished"))
    assert store.open_run("twin").config.division.learners == 2
    assert [path.name for path in own_folder.iterdir()] == ["twin"]


def test_a_run_that_is_not_made_to_the_end_is_not_there(own_folder):
    with pytest.raises(InputError, match="no"), store.made(own_folder / "half", RunConfig()):
        raise InputError("no")
    assert not list(own_folder.iterdir())


def test_a_claim_holds_against_other_processes_and_ends_with_its_own(own_folder):
    run = store.create("claimed", RunConfig())
    claim = "from pathlib import Path; from bon_core.runs.run import Run"
    claim += f"; claim = Run(Path({str(run.path)!r})).claimed(); claim.__enter__()"
    with run.claimed():
        refused = subprocess.run([sys.executable, "-c", claim], capture_output=True, text=True)
        assert "Run claimed is at work in another process; stop that one first" in refused.stderr
    held = f"{claim}; print('held', flush=True); import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", held], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="at work in another process"), run.claimed():
            pass
        other.kill()
    with run.claimed():
        pass


def test_the_log_keeps_its_lines_whatever_is_in_them():
    run = store.create("logged", RunConfig())
    run.log("began", data="ä\ud800", path=run.path, seconds=1.5)
    run.log("failed", message='two\nlines "quoted"')
    with (run.path / LOG_FILE).open("a") as file:
        file.write('{"what": "torn')
    first, second = run.logged()
    assert (first["what"], first["seconds"], first["process"]) == ("began", 1.5, os.getpid())
    assert second["message"] == 'two\nlines "quoted"'
    shutil.rmtree(run.path)
    run.log("nobody hears it")
    assert run.logged() == []


def test_a_run_that_is_gone_is_a_failed_one():
    run = store.create("gone", RunConfig())
    shutil.rmtree(run.path)
    assert run.status().state == "failed" and "cannot be read" in run.status().message
    assert (run.events(), run.snapshots(), run.previews(), run.newest_preview(), run.timeline()) == (
        [],
        [],
        [],
        None,
        None,
    )
