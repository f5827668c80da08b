"""What several pages ask for, computed or read once: of each snapshot and split, and of each run's audit log."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import pictures
from app.analysis.miners import Pool
from app.state import View
from bon_core.retrieval.suspicion import Suspicion
from bon_core.retrieval.suspicion import suspicion as suspicion_of
from bon_core.snapshot import Snapshot
from bon_core.training.audit import audit_steps, mined_pairs


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


def pool(view: View) -> Pool:
    """The view's rows as a pool that miners choose from."""
    return _pool(view, stamp(view))


@st.cache_resource(max_entries=3, show_spinner=False)
def _pool(_view: View, stamp: tuple[Path, int, str]) -> Pool:
    snapshot, rows = _view.snapshot, _view.rows
    labels, codes = np.asarray(snapshot.labels)[rows], np.asarray(snapshot.codes)[rows]
    return Pool.of(vectors(_view), labels, codes, np.asarray(snapshot.hash_mean), snapshot.bits)


def sprite(view: View, ids: np.ndarray, columns: int) -> str | None:
    """As `pictures.sprite`, cut once for the same samples on the same ground."""
    if pictures.image_set(view.run) is None:  # may be there another time
        return None
    return _sprite(view, view.run.path, ids, columns, st.context.theme.type)


@st.cache_data(max_entries=200, show_spinner=False)
def _sprite(_view: View, path: Path, ids: np.ndarray, columns: int, ground: str | None) -> str | None:
    return pictures.sprite(_view, ids, columns=columns)


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
    mined = mined_pairs(path)
    late = mined["step"] >= first
    return mined["d_ap"][late], mined["d_an"][late]


def suspicion(view: View) -> Suspicion:
    """The evidence against the labels of the view's rows; positions in it count them."""
    return _suspicion(view, stamp(view), audit_stamp(view))


@st.cache_data(max_entries=4, show_spinner=False)
def _suspicion(_view: View, stamp: tuple[Path, int, str], audit: tuple[int, int]) -> Suspicion:
    snapshot, rows, ids = _view.snapshot, _view.rows, _view.ids
    mined = mined_pairs(_view.run.path)
    order = np.argsort(ids, kind="stable")

    def places(wanted: np.ndarray) -> np.ndarray:
        found = order[np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)]
        return np.where(ids[found] == wanted, found, -1)

    anchor, negative = places(mined["anchor"]), places(mined["negative"])
    here = (anchor >= 0) & (negative >= 0)
    return suspicion_of(
        np.asarray(snapshot.labels)[rows],
        np.searchsorted(rows, np.asarray(snapshot.neighbours)[rows]),
        np.asarray(snapshot.neighbour_distances)[rows],
        {"anchor": anchor[here], "negative": negative[here], "d_ap": mined["d_ap"][here], "d_an": mined["d_an"][here]},
    )


def audit_stamp(view: View) -> tuple[int, int]:
    """Changes when the audit log does: number of its parts, and when the newest was written."""
    times = [path.stat().st_mtime_ns for path in (view.run.path / "audit").glob("part-*.parquet")]
    return len(times), max(times, default=0)
