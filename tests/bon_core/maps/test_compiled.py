"""Maps are drawn where neither the program's folder nor the home can be written to, and the doctor sees the rest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bon_core.cli import doctor
from bon_core.maps import compiled

pytestmark = pytest.mark.usefixtures("runs_folder")

MAP = """
import numpy as np
from bon_core.maps import compiled

really = compiled.can_write
compiled.can_write = lambda folder: folder.name != "__pycache__" and really(folder)  # a read-only program
from bon_core.maps.projection import project
from bon_core.evaluation.neighbours import build_neighbours

rows = np.random.default_rng(0).standard_normal((60, 4))
rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
assert project(rows, build_neighbours(rows, 15), seed=0).shape == (60, 2)
"""


@pytest.fixture
def read_only(monkeypatch, tmp_path):
    """Neither the program's folder nor the home takes a file, as a user other than root would find it."""
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").touch()  # a file: nothing can be made below it, not even by root
    really = compiled.can_write
    monkeypatch.setattr(compiled, "can_write", lambda folder: folder.name != "__pycache__" and really(folder))


def test_numba_is_left_alone_where_it_can_write(monkeypatch):
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    assert compiled.cache_folder() is None
    compiled.prepare()
    assert compiled.VARIABLE not in os.environ


def test_else_compiled_code_goes_to_the_runs_folder(read_only, runs_folder):
    assert compiled.cache_folder() == runs_folder.resolve() / ".kept" / "numba"
    compiled.prepare()
    assert Path(os.environ[compiled.VARIABLE]) == compiled.cache_folder()


def test_or_to_a_folder_of_the_process_alone(read_only, monkeypatch, tmp_path):
    monkeypatch.setenv("BON_RUNS", str(tmp_path / "home" / "runs"))
    folder = compiled.cache_folder()
    assert folder == compiled.cache_folder() and folder.stat().st_mode & 0o077 == 0
    (found,) = doctor._compiled()
    assert "each process compiles anew" in found.trouble


def test_a_folder_that_is_named_counts_if_it_can_be_written_to(monkeypatch, tmp_path):
    monkeypatch.setenv(compiled.VARIABLE, str(tmp_path / "own"))
    assert compiled.cache_folder() == tmp_path / "own"
    (found,) = doctor._compiled()
    assert (found.found, found.trouble) == (str(tmp_path / "own"), "")
    (tmp_path / "file").touch()
    monkeypatch.setenv(compiled.VARIABLE, str(tmp_path / "file" / "below"))
    assert compiled.cache_folder() is None
    (found,) = doctor._compiled()
    assert "cannot be written to; name another folder" in found.trouble


@pytest.mark.slow
def test_a_map_is_drawn_by_a_read_only_program_without_a_home(runs_folder, tmp_path):
    (tmp_path / "home").touch()
    surroundings = {**os.environ, "HOME": str(tmp_path / "home"), "BON_RUNS": str(runs_folder)}
    surroundings.pop(compiled.VARIABLE, None)
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", MAP], cwd=root, env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any((runs_folder / ".kept" / "numba").rglob("*.nbi"))
