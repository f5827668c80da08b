"""The samples of a view by class, as the guided scenes look at them."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import cached
from app.view import View
from bon_core.evaluation.distances import squared_to_all


@dataclass(frozen=True)
class Pool:
    """The n samples of C classes that anchors and their negatives come from.

    vectors : (n, D) float32, unit
    label : (n,) int64, class of each sample, 0..C-1
    codes : (n,) int64, hash codes
    members, index : (n,) int64, samples sorted by class, and where in its class each sample stands
    start, size : (C,) int64, where in `members` a class begins, and how many samples it has
    """

    vectors: np.ndarray
    label: np.ndarray
    codes: np.ndarray
    members: np.ndarray
    index: np.ndarray
    start: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, labels: np.ndarray, codes: np.ndarray) -> "Pool":
        """vectors (n, D) unit, labels and codes (n,)."""
        _, label, size = np.unique(labels, return_inverse=True, return_counts=True)
        members = np.argsort(label, kind="stable")
        start = np.cumsum(size) - size
        index = np.empty_like(members)
        index[members] = np.arange(len(members)) - start[label[members]]
        return cls(vectors, label, codes, members, index, start, size)

    def distances(self, anchors: np.ndarray) -> np.ndarray:
        """Distances (T, n) float32 of the anchors (T,) to all."""
        return np.sqrt(squared_to_all(self.vectors[anchors], self.vectors)).astype(np.float32)

    def members_of(self, label: int) -> np.ndarray:
        """The samples of a class."""
        return self.members[self.start[label] : self.start[label] + self.size[label]]


def pool_of(view: View) -> Pool:
    """The view's rows by class and code."""
    return _pool(view, cached.stamp(view))


@st.cache_resource(max_entries=3, show_spinner=False)
def _pool(_view: View, stamp: tuple) -> Pool:
    snapshot, rows = _view.snapshot, _view.rows
    return Pool.of(cached.vectors(_view), np.asarray(snapshot.labels)[rows], np.asarray(snapshot.codes)[rows])
