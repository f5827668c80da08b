"""What people add to a run: beside it, whole, and never into a bundled one."""

import multiprocessing
from pathlib import Path

import pytest

from app import sidecar
from bon_core.base import paths
from bon_core.config import InputError
from bon_core.runs import store
from bon_core.runs.run import Run
from tests.app.tiny import make_images, make_run


def test_what_was_kept_comes_back_and_lies_beside_the_run(tiny_run):
    assert sidecar.read(tiny_run, "sets") == {}
    sidecar.change(tiny_run, "sets", lambda _: {"Ω": {"ids": "a"}})
    sidecar.change(tiny_run, "sets", lambda _: {"Ω": {"ids": "b"}})
    assert sidecar.read(Run(tiny_run.path), "sets") == {"Ω": {"ids": "b"}}
    assert sidecar.path_of(tiny_run, "sets").parent == tiny_run.path


def test_a_bundled_run_is_not_written_to(empty_runs, tmp_path):
    paths.MODELS.mkdir()
    bundled = make_run(paths.MODELS, make_images(tmp_path), tmp_path / "tiny.npz", name="bundled")
    before = sorted(bundled.path.rglob("*"))
    sidecar.change(bundled, "sets", lambda _: {"a": 1})
    assert sidecar.read(bundled, "sets") == {"a": 1}
    assert sorted(bundled.path.rglob("*")) == before
    assert [run.name for run in store.list_runs()] == ["bundled"], "what is kept is no run"


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"'])
def test_a_damaged_file_is_said_with_its_path(tiny_run, text):
    path = sidecar.path_of(tiny_run, "sets")
    path.write_text(text)
    with pytest.raises(InputError, match=f"{path.name}.*repair or remove it"):
        sidecar.read(tiny_run, "sets")


def test_a_run_that_is_gone_is_not_brought_back_by_halves(tiny_run):
    elsewhere = Run(tiny_run.path.with_name("gone"))
    with pytest.raises(InputError, match="cannot be written"):
        sidecar.change(elsewhere, "sets", lambda _: {})
    assert not elsewhere.path.exists()


def _count_up(path: str, name: str, times: int) -> None:
    for number in range(times):
        sidecar.change(Run(Path(path)), "sets", lambda sets, number=number: {**sets, f"{name}{number}": number})


@pytest.mark.slow
def test_two_processes_that_keep_at_once_lose_nothing_of_each_other(tiny_run):
    context = multiprocessing.get_context("spawn")
    racing = [context.Process(target=_count_up, args=(str(tiny_run.path), name, 40)) for name in "ab"]
    for process in racing:
        process.start()
    for process in racing:
        process.join(120)
    assert sidecar.read(tiny_run, "sets") == {f"{name}{number}": number for name in "ab" for number in range(40)}


def test_a_change_that_fails_changes_nothing_and_frees_the_lock(tiny_run):
    sidecar.change(tiny_run, "sets", lambda _: {"a": 1})
    with pytest.raises(ZeroDivisionError):
        sidecar.change(tiny_run, "sets", lambda _: {"a": 1 // 0})
    assert sidecar.change(tiny_run, "sets", lambda sets: {**sets, "b": 2}) == {"a": 1, "b": 2}
