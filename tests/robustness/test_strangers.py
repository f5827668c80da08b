"""A stranger's run among the others: whatever one of its files is, nobody waits for it and the others work."""

import base64
import os
import shutil
import signal
import time
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from app import selection, sidecar, state
from app.views.negatives.triage import Verdicts
from bon_core.base import paths
from bon_core.base.files import read_json, read_lines
from bon_core.cli import doctor
from bon_core.config import InputError
from bon_core.runs import store
from bon_core.runs.audit import audit_steps, mined_pairs, read_step
from bon_core.runs.run import Run, Status, this_process
from bon_core.runs.weights import load_network
from bon_core.training.checkpoint import load_tree
from tests.app.conftest import MAIN
from tests.app.records import add_audit, add_clusterings, words
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files on POSIX")

LONGEST = 60  # seconds that anything here may take on a busy machine
FILES = {  # of a run -> what reads it
    "config.json": lambda run: run.config,
    "status.json": lambda run: run.status(),
    "events.jsonl": lambda run: run.events(),
    "log.jsonl": lambda run: run.logged(),
    "sets.json": selection.named,
    "verdicts.json": Verdicts.of,
    "checkpoint.safetensors": lambda run: load_tree(run.checkpoint),
    "model.safetensors": lambda run: load_network(run, 1),
    "timeline.npz": lambda run: run.timeline(),
    "previews/step-0000020.npz": lambda run: run.newest_preview(),
    "clusterings/step-0000020.npz": lambda run: run.clusterings(),
    "audit/part-0000000.parquet": lambda run: audit_steps(run.path),
    "snapshots/step-0000040/meta.json": lambda run: run.snapshot(),
    "snapshots/step-0000040/vectors.npy": lambda run: run.snapshot(),
    "snapshots/step-0000040/neighbours.npy": lambda run: run.snapshot(),
}
KINDS = {
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "an endless device": lambda path: os.symlink("/dev/zero", path),
    "brackets": lambda path: path.write_text("[" * 100_000),
    "a number of 400 digits": lambda path: path.write_text('{"step": 1' + "0" * 400 + "}\n"),
    "nothing": lambda path: path.write_bytes(b""),
}


@pytest.fixture(autouse=True)
def nobody_waits():
    """Fails a test that stands still, as opening a pipe would."""

    def give_up(*_):
        raise AssertionError("somebody waits for a file")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A runs folder with the run `good`, and no bundled ones."""
    home = tmp_path / "runs"
    home.mkdir()
    monkeypatch.setenv("BON_RUNS", str(home))
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    make_run(home, make_images(tmp_path), tmp_path / "tiny.npz", name="good")
    return home


@pytest.fixture
def stranger(folder, tmp_path) -> Run:
    """The run `stranger`, whole as yet."""
    run = make_run(folder, make_images(tmp_path), tmp_path / "tiny.npz", name="stranger")
    add_audit(run)
    add_clusterings(run)
    return run


def put(run: Run, name: str, kind: str) -> None:
    path = run.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    KINDS[kind](path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_one_sentence_or_no_record(stranger, name, kind):
    put(stranger, name, kind)
    try:
        found = FILES[name](stranger)
    except InputError as error:
        assert str(error).endswith(".") and "\n" not in str(error) and "Traceback" not in str(error)
    else:
        assert found in ([], {}, None) or kind == "nothing" or (isinstance(found, Status) and found.state == "failed")


@pytest.mark.parametrize("kind", ["a pipe", "brackets", "a number of 400 digits"])
@pytest.mark.parametrize("name", ["config.json", "status.json", "events.jsonl", "snapshots/step-0000040/meta.json"])
def test_the_others_are_listed_queued_and_shown(stranger, folder, name, kind):
    put(stranger, name, kind)
    good = Run(folder / "good")
    good.write_status(Status(state="queued", created=time.time(), **this_process()))
    assert list(store.waiting_before(good)) == []
    assert {run.name for run in store.list_runs()} == {"good", "stranger"}
    assert "good" in state.explorable()
    assert "runs" in doctor.report(list(doctor._runs()))
    for page in ("views/train/train.py", "views/map/map.py"):
        app = AppTest.from_file(MAIN, default_timeout=LONGEST)
        app.query_params["run"] = "good"
        app.switch_page(page).run()
        assert not app.exception and "could not be drawn" not in words(app)


def test_a_process_of_400_digits_does_not_stop_the_queue(stranger, folder):
    (stranger.path / "status.json").write_text(
        '{"state": "running", "created": 1.0, "process": 1, "process_started": 1' + "0" * 400 + "}"
    )
    assert stranger.status().state == "failed" and "is no status" in stranger.status().message
    for value in ("1e400", "NaN", "-1e300"):
        (stranger.path / "status.json").write_text(
            f'{{"state": "running", "created": 1.0, "process": 1, "process_started": {value}}}'
        )
        assert stranger.status().state == "failed", value


def test_a_run_whose_snapshots_cannot_be_read_is_named_and_another_shown(stranger, folder):
    for step in stranger.snapshots():
        put(stranger, f"snapshots/step-{step:07d}/meta.json", "a pipe")
    app = AppTest.from_file(MAIN, default_timeout=LONGEST)
    app.query_params["run"] = "stranger"
    app.switch_page("views/map/map.py").run()
    assert not app.exception and app.selectbox(key="run").value == "good"
    assert "The link names what is not here: the run stranger" in words(app)


def test_events_of_other_types_are_no_events(stranger):
    good = '{"kind": "evaluation", "step": 3, "epoch": 1.0, "recall@1": 0.5, "map@r": 0.4, "split": "test"}'
    lines = [
        good,
        good.replace("0.5", '"x"'),
        good.replace("0.5", "1" + "0" * 400),
        good.replace("0.5", "[[1]]"),
        good.replace("3,", "-3,"),
        good.replace("3,", "true,"),
        '{"kind": ["step"], "step": 3}',
    ]
    (stranger.path / "events.jsonl").write_text("\n".join([*lines, ""]))
    assert [event["recall@1"] for event in stranger.events()] == [0.5]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("id", lambda values: [str(value) for value in values]),
        ("id", lambda values: [float(value) for value in values]),
        ("step", lambda values: [None, *values[1:]]),
        ("active", lambda values: [int(value) for value in values]),
        ("d_ap", lambda values: [[value] for value in values]),
        ("step", lambda values: [2**40 for _ in values]),
    ],
)
def test_audit_columns_of_other_types_are_one_sentence(stranger, name, change):
    part = next((stranger.path / "audit").glob("part-*.parquet"))
    table = pq.read_table(part)
    column = table.column_names.index(name)
    pq.write_table(table.set_column(column, name, pa.array(change(table[name].to_pylist()))), part)
    with pytest.raises(InputError, match=rf"{part.name}.*remove it from the run\.$"):
        if name == "active":
            read_step(stranger.path, 0)
        else:
            mined_pairs(stranger.path)


def test_a_part_with_another_name_is_no_part(stranger):
    before = audit_steps(stranger.path)
    for name in ("part-x.parquet", "part-.parquet", f"part-{'9' * 40}.parquet", "part-²³.parquet"):
        (stranger.path / "audit" / name).write_bytes(b"nothing")
    assert audit_steps(stranger.path).tolist() == before.tolist()
    assert len(read_step(stranger.path, int(before[0]))["id"])


def test_sets_keep_negative_ids_and_refuse_torn_ones(stranger):
    ids = np.array([-(2**63), -5, 0, 7, 2**63 - 1])
    for sample in (ids, ids[1:], ids[2:4]):
        assert selection.decode(selection.pack(sample)).tolist() == sample.tolist()
    over = selection.pack(np.array([2**63 - 1]))
    for text in ("~", f"~{over}", "~AAAA"):
        found = selection.decode(text)
        assert found is None or len(found) == 0, text
    twice = selection._varints(np.array([2**63 - 1, 2**63 - 1]))
    assert selection.decode(base64.urlsafe_b64encode(zlib.compress(twice)).decode()) is None
    sidecar.change(stranger, "sets", lambda _: {"a": {"ids": selection.pack(ids[1:])}})
    assert selection.named(stranger)["a"].ids.tolist() == ids[1:].tolist()


def test_json_and_lines_are_bounded(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": ' + "1" * 30 + "}")
    with pytest.raises(InputError, match="too many digits"):
        read_json(path)
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="nested too deep"):
        read_json(path)
    path.write_text("[1, 2, 3]")
    with pytest.raises(InputError, match="at most 0 MiB are read"):
        read_json(path, most=4)
    path.write_text('{"a": 1}\n' + "x" * (3 << 20) + '\n{"b": 2}\n{"torn": 1')
    assert read_lines(path) == [{"a": 1}, {"b": 2}]
