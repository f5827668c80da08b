"""What several pages ask for, computed or read once: of each snapshot and split, and of each run's audit log."""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import pictures
from app.view import View
from bon_core.base.ids import rows_of
from bon_core.evaluation.suspicion import Suspicion
from bon_core.evaluation.suspicion import suspicion as suspicion_of
from bon_core.runs.audit import audit_steps, mined_pairs
from bon_core.runs.run import Run, is_complete
from bon_core.runs.snapshot import Snapshot


def stamp(view: View) -> tuple[Path, int, str]:
    """What a cache entry of a view hangs on: the snapshot's folder, when it was written, and the split."""
    path = view.snapshot.path
    return path, (path / "meta.json").stat().st_mtime_ns, view.split


def vectors(view: View) -> np.ndarray:
    """The vectors of the view's rows, (n, D) float32, unit."""
    return _vectors(view.snapshot, view.rows, stamp(view))


@st.cache_resource(max_entries=3, show_spinner=False)
def _vectors(_snapshot: Snapshot, _rows: np.ndarray, stamp: tuple[Path, int, str]) -> np.ndarray:
    found = np.asarray(_snapshot.vectors)[_rows].astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def sprite(view: View, ids: np.ndarray, columns: int) -> str | None:
    """As `pictures.sprite`, cut once for the same samples on the same ground."""
    if pictures.image_set(view.run) is None:  # may be there another time
        return None
    return _sprite(view, view.run.path, ids, columns, st.context.theme.type)


@st.cache_data(max_entries=200, show_spinner=False)
def _sprite(_view: View, path: Path, ids: np.ndarray, columns: int, ground: str | None) -> str | None:
    return pictures.sprite(_view, ids, columns=columns)


def events(run: Run) -> list[dict[str, Any]]:
    """All events of a run, oldest first, read again when there are more; not to be changed."""
    return _events(run.path, events_stamp(run))


@st.cache_resource(max_entries=3, show_spinner=False)
def _events(path: Path, stamp: tuple[int, int]) -> list[dict[str, Any]]:
    return [event for event in Run(path).events() if is_complete(event)]


def events_stamp(run: Run) -> tuple[int, int]:
    """Changes when the run's events do: their file's size, and when it was written."""
    try:
        found = (run.path / "events.jsonl").stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def recorded_steps(view: View) -> np.ndarray:
    """The steps in the run's audit log, ascending, (n,) int64."""
    return _recorded_steps(view.run.path, audit_stamp(view))


@st.cache_data(max_entries=16, show_spinner=False)
def _recorded_steps(path: Path, stamp: tuple[int, int]) -> np.ndarray:
    return audit_steps(path)


def late_distances(view: View, first: int) -> tuple[np.ndarray, np.ndarray]:
    """d(a,p) and d(a,n) of every triplet recorded from step `first` on, (n,) float32 each."""
    return _late_distances(view.run.path, audit_stamp(view), first)


@st.cache_data(max_entries=8, show_spinner=False)
def _late_distances(path: Path, stamp: tuple[int, int], first: int) -> tuple[np.ndarray, np.ndarray]:
    found = mined_pairs(path)
    late = found["step"] >= first
    return found["d_ap"][late], found["d_an"][late]


def mined(view: View) -> dict[str, np.ndarray]:
    """Every recorded anchor and its negative that are both in the view: step, d_ap, d_an, (m,) each, and as rows of the
    view anchor and negative.
    """
    return _mined(view, stamp(view), audit_stamp(view))


@st.cache_resource(max_entries=4, show_spinner=False)
def _mined(_view: View, stamp: tuple[Path, int, str], audit: tuple[int, int]) -> dict[str, np.ndarray]:
    found = mined_pairs(_view.run.path)
    found |= {end: rows_of(_view.ids, found[end]) for end in ("anchor", "negative")}
    here = (found["anchor"] >= 0) & (found["negative"] >= 0)
    return {name: values[here] for name, values in found.items()}


def suspicion(view: View) -> Suspicion:
    """The evidence against the labels of the view's rows; positions in it count them."""
    return _suspicion(view, stamp(view), audit_stamp(view))


@st.cache_data(max_entries=4, show_spinner=False)
def _suspicion(_view: View, stamp: tuple[Path, int, str], audit: tuple[int, int]) -> Suspicion:
    snapshot, rows = _view.snapshot, _view.rows
    return suspicion_of(
        np.asarray(snapshot.labels)[rows],
        np.searchsorted(rows, np.asarray(snapshot.neighbours)[rows]),
        np.asarray(snapshot.neighbour_distances)[rows],
        mined(_view),
    )


def audit_stamp(view: View) -> tuple[int, int]:
    """Changes when the audit log does: number of its parts, and when the newest was written."""
    times = [path.stat().st_mtime_ns for path in (view.run.path / "audit").glob("part-*.parquet")]
    return len(times), max(times, default=0)
