"""NeighbourTable: the k nearest neighbours of every sample, searched once, used by metrics, projection and views.

Legend: N data set, D width, k neighbours. A *position* is a row, 0..N-1. Distances are Euclidean between unit vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bon_core.config import InputError
from bon_core.retrieval.index import build_index
from bon_core.retrieval.search import nearest

BLOCK = 8192  # queries a search, between two reports of progress
CLOSE = 1e-3  # squared distance below which 2 - 2 cos has too few digits left
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class NeighbourTable:
    """The k nearest neighbours of N samples, the sample itself not among them.

    Parameters
    ----------
    indices : (N, k) int32 positions, nearest first
    distances : (N, k) float32, ascending along a row

    Raises
    ------
    InputError
        If shapes or types disagree, a position is outside 0..N-1 or a sample's own, or distances do not ascend.
    """

    indices: np.ndarray
    distances: np.ndarray

    def __post_init__(self) -> None:
        if self.indices.ndim != 2 or self.indices.shape != self.distances.shape or 0 in self.indices.shape:
            raise InputError(
                f"Neighbours have shape {self.indices.shape} and distances {self.distances.shape}, but both must be"
                " (samples, neighbours) with at least one of each; search the neighbours again."
            )
        if self.indices.dtype != np.int32 or self.distances.dtype != np.float32:
            raise InputError(
                f"Neighbours are {self.indices.dtype} and distances {self.distances.dtype}, but must be int32 and"
                " float32; convert them."
            )
        count = len(self.indices)
        if self.indices.min() < 0 or self.indices.max() >= count:
            raise InputError(
                f"Neighbours run from {self.indices.min()} to {self.indices.max()}, but there are {count} samples;"
                " search the neighbours again."
            )
        if (self.indices == np.arange(count)[:, None]).any():
            raise InputError("A sample is listed as its own neighbour; leave it out, or search the neighbours again.")
        if not (self.distances[:, 0] >= 0).all() or not (self.distances[:, 1:] >= self.distances[:, :-1]).all():
            raise InputError(
                "Distances must be 0 or more and ascend along each row, without NaN; search the neighbours again."
            )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def k(self) -> int:
        return self.indices.shape[1]

    def part(self, positions: np.ndarray) -> "NeighbourTable":
        """The rows at `positions`, renumbered 0..n-1; their neighbours must all be among them, as in a searched group.

        Raises
        ------
        InputError
            If a neighbour lies outside.
        """
        renumbered = np.full(len(self), -1, dtype=np.int32)
        renumbered[positions] = np.arange(len(positions), dtype=np.int32)
        indices = renumbered[self.indices[positions]]
        if (indices < 0).any():
            raise InputError(
                "Some neighbours lie outside the chosen part; search with groups, so that each part keeps to itself."
            )
        return NeighbourTable(indices, self.distances[positions])


def build_neighbours(
    vectors: np.ndarray,
    k: int,
    *,
    groups: np.ndarray | None = None,
    exact: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NeighbourTable:
    """Search the k nearest neighbours of every vector.

    Parameters
    ----------
    vectors : (N, D) float, unit rows
    k : neighbours a sample, fewer than samples in the smallest group
    groups : (N,), such as the split; each sample is then searched within its own group only
    exact : None searches exactly up to `index.FLAT_LIMIT` samples a group and by a graph above
    progress : called with (samples done, N); what it raises ends the search

    Returns
    -------
    NeighbourTable; equal distances are ordered by position

    Raises
    ------
    InputError
        If rows are not unit vectors, or k is too large.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    _check_unit(vectors)
    count = len(vectors)
    members = [np.arange(count)] if groups is None else [np.flatnonzero(groups == name) for name in np.unique(groups)]
    smallest = min(map(len, members))
    if not 1 <= k < smallest:
        raise InputError(
            f"{k} neighbours were asked of each sample, but the smallest group searched has {smallest} samples;"
            f" ask for 1 to {smallest - 1}, or search fewer groups."
        )
    indices = np.empty((count, k), dtype=np.int32)
    distances = np.empty((count, k), dtype=np.float32)
    done = 0
    for positions in members:
        own = vectors if len(members) == 1 else vectors[positions]
        index = build_index(own, k=k + 1, exact=exact)
        for start in range(0, len(own), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(own)))
            similarity, found = index.search(own[rows], k + 1)  # (b, k + 1)
            _complete(found, similarity, own, rows)
            found, similarity = _without_self(found, similarity, rows)
            found, away = _in_order(found, _distances(own, rows, found, similarity))
            indices[positions[rows]] = positions[found]
            distances[positions[rows]] = away
            done += len(rows)
            if progress is not None:
                progress(done, count)
    return NeighbourTable(indices, distances)


def _check_unit(vectors: np.ndarray) -> None:
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    wrong = ~(np.abs(lengths - 1) < UNIT_TOLERANCE)  # a NaN is wrong too
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"Vector {row} has length {lengths[row]:.4g}, but must have length 1; normalise the rows.")


def _complete(found: np.ndarray, similarity: np.ndarray, own: np.ndarray, rows: np.ndarray) -> None:
    """Search the rows anew, exactly, where the graph's walk ended early (-1)."""
    short = np.flatnonzero((found < 0).any(axis=1))
    for start in range(0, len(short), 256):  # few, and each needs a similarity to all
        some = short[start : start + 256]
        found[some], away = nearest(own[rows[some]], own, found.shape[1])
        similarity[some] = 1 - away**2 / 2


def _without_self(found: np.ndarray, similarity: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop each row's own position, or its last neighbour where duplicates have crowded the sample itself out."""
    drop = found == rows[:, None]
    drop[~drop.any(axis=1), -1] = True
    shape = (len(rows), found.shape[1] - 1)
    return found[~drop].reshape(shape), similarity[~drop].reshape(shape)


def _distances(own: np.ndarray, rows: np.ndarray, found: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """sqrt(2 - 2 cos), but from the difference of the vectors where they nearly agree."""
    squared = np.maximum(2 - 2 * similarity, 0)
    close = squared < CLOSE
    for column in np.flatnonzero(close.any(axis=0)):
        at = np.flatnonzero(close[:, column])
        difference = own[rows[at]] - own[found[at, column]]
        squared[at, column] = np.einsum("nd,nd->n", difference, difference)
    return np.sqrt(squared)


def _in_order(found: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort the rows that have ties, or that exact distances have put out of order, by distance and then position."""
    unsorted = np.flatnonzero((distances[:, 1:] <= distances[:, :-1]).any(axis=1))
    order = np.lexsort((found[unsorted], distances[unsorted]))
    found[unsorted] = np.take_along_axis(found[unsorted], order, axis=1)
    distances[unsorted] = np.take_along_axis(distances[unsorted], order, axis=1)
    return found, distances
