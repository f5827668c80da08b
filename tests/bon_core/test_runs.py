import json
import os
import time
from dataclasses import replace

import pytest

from bon_core import runs
from bon_core.config import DivisionConfig, InputError, RunConfig
from bon_core.runs import Status


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BON_RUNS", str(tmp_path))
    return tmp_path


def test_created_runs_keep_their_config():
    config = RunConfig(division=DivisionConfig(learners=2))
    runs.create("first", config)
    assert runs.open_run("first").config == config
    assert runs.open_run("first").status().state == "queued"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a..b", "x" * 65, "sp ace", "nul\0"])
def test_names_never_become_paths(name, own_folder):
    with pytest.raises(InputError, match="run name"):
        runs.create(name, RunConfig())
    assert not list(own_folder.iterdir())


def test_a_taken_name_is_refused_and_the_run_kept():
    run = runs.create("taken", RunConfig())
    (run.path / "events.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="already a run named taken"):
        runs.create("taken", RunConfig())
    assert (run.path / "events.jsonl").exists()


def test_an_unknown_run_is_answered_with_the_known_ones():
    runs.create("known", RunConfig())
    with pytest.raises(InputError, match="no run named other; there are: known"):
        runs.open_run("other")


def test_a_run_without_its_process_is_interrupted():
    run = runs.create("gone", RunConfig())
    status = run.status()
    run.write_status(replace(status, state="running", process_started=status.process_started - 100))
    assert run.status().state == "interrupted"
    run.write_status(replace(status, state="running", process=2**22 + 1))
    assert run.status().state == "interrupted"
    run.write_status(replace(status, state="running", process=os.getpid()))
    assert run.status().state == "running"


def test_a_torn_last_event_is_skipped():
    run = runs.create("torn", RunConfig())
    (run.path / "events.jsonl").write_text(json.dumps({"kind": "step", "step": 1}) + "\n" + '{"kind": "st')
    assert run.events() == [{"kind": "step", "step": 1}]
    assert run.events("evaluation") == []


def test_the_queue_is_served_in_order_of_creation():
    made = [runs.create(name, RunConfig()) for name in ("one", "two", "three")]
    for moment, run in enumerate(made):
        run.write_status(Status(state="queued", created=moment, **runs.this_process()))
    assert {run.name for run in runs.waiting_before(made[2])} == {"one", "two"}
    made[0].write_status(replace(made[0].status(), state="finished"))
    assert list(runs.waiting_before(made[1])) == []


def test_runs_are_listed_newest_first():
    older, newer = runs.create("older", RunConfig()), runs.create("newer", RunConfig())
    os.utime(older.path / "config.json", (time.time() - 60,) * 2)
    assert [run.name for run in runs.list_runs() if not run.bundled] == ["newer", "older"]
    assert newer.snapshots() == []
    with pytest.raises(InputError, match="no snapshot yet"):
        newer.snapshot()
