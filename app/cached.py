"""Arrays that several pages ask for, computed once for each snapshot and split."""

from pathlib import Path

import numpy as np
import streamlit as st

from app.state import View
from bon_core.snapshot import Snapshot


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
