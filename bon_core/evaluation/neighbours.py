"""NeighbourTable: the k nearest neighbours of every sample, searched once, used by metrics, projection and views.

Legend: N data set, D width, k neighbours. A *position* is a row, 0..N-1. Distances are Euclidean between unit vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.config import InputError
from bon_core.evaluation.distances import squared_to
from bon_core.evaluation.index import Index, Kind, exact_neighbours, open_index

QUERY_ROWS = 8192  # queries a search, between two reports of progress
ASKED_AGAIN = 500  # queries that are searched exactly as well, to know what another search missed
TIE = 1e-5  # of a distance: others so near to it count as equal
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class NeighbourTable:
    """The k nearest neighbours of N samples, the sample itself not among them.

    Parameters
    ----------
    indices : (N, k) int32 positions, nearest first
    distances : (N, k) float32, ascending along a row
    kind : how they were searched; where splits were searched apart, the least exact
    recall : share of the true neighbours that are among them, measured on some queries; 1 if searched exactly

    Raises
    ------
    InputError
        If shapes or types disagree, a position is outside 0..N-1 or a sample's own, or distances do not ascend.
    """

    indices: np.ndarray
    distances: np.ndarray
    kind: Kind = "exact"
    recall: float = 1.0

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

    def nearest(self, k: int) -> "NeighbourTable":
        """The first k neighbours of each sample, or all if there are fewer, apart from the whole table's memory."""
        return NeighbourTable(self.indices[:, :k].copy(), self.distances[:, :k].copy(), self.kind, self.recall)

    def part(self, positions: np.ndarray) -> "NeighbourTable":
        """The rows at `positions`, renumbered 0..n-1; their neighbours must all be among them, as those of a split are.

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
                "Some neighbours lie outside the chosen part; choose a whole split, as each was searched by itself."
            )
        return NeighbourTable(indices, self.distances[positions], self.kind, self.recall)


def build_neighbours(
    vectors: np.ndarray,
    k: int,
    *,
    kind: Kind | None = None,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NeighbourTable:
    """Search the k nearest neighbours of every vector.

    Parameters
    ----------
    vectors : (N, D) float, unit rows; may be mapped from a file
    k : neighbours a sample, fewer than samples
    kind : of the index; None chooses by size
    folder : where indexes that took building are kept, see `open_index`
    progress : called with (samples done, N); what it raises ends the search

    Returns
    -------
    NeighbourTable; equal distances are ordered by position

    Raises
    ------
    InputError
        If rows are not unit vectors, or k is too large.
    """
    count = len(vectors)
    for rows in row_chunks(count, QUERY_ROWS):
        _check_unit(vectors, np.r_[rows])
    if not 1 <= k < count:
        raise InputError(
            f"{k} neighbours were asked of each of {count} samples, but each has {count - 1} others; ask for 1 to"
            f" {count - 1}, or bring more samples."
        )
    indices = np.empty((count, k), dtype=np.int32)
    distances = np.empty((count, k), dtype=np.float32)
    index = open_index(vectors, kind=kind, folder=folder)
    for rows in row_chunks(count, QUERY_ROWS):
        indices[rows], distances[rows] = _nearest_others(index, np.r_[rows], k)
        if progress is not None:
            progress(rows.stop, count)
    return NeighbourTable(indices, distances, index.kind, 1.0 if index.kind == "exact" else _recall(vectors, distances))


def joined(parts: list[tuple[np.ndarray, NeighbourTable]]) -> NeighbourTable:
    """One table of all samples out of those of parts that were searched apart, each given with its positions (n,)."""
    count, k = sum(len(table) for _, table in parts), parts[0][1].k
    indices, distances = np.empty((count, k), dtype=np.int32), np.empty((count, k), dtype=np.float32)
    for positions, table in parts:
        indices[positions] = positions[table.indices]
        distances[positions] = table.distances
    worst = max((table.kind for _, table in parts), key=get_args(Kind).index)
    return NeighbourTable(indices, distances, worst, min(table.recall for _, table in parts))


def exact_others(vectors: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and distances (r, k) float32 of the nearest others to `rows` (r,) of `vectors` (N, D), exactly."""
    squared, found = exact_neighbours(vectors[rows], vectors, k + 1)
    return _without_self(found, np.sqrt(squared), rows)


def _nearest_others(index: Index, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and distances (b, k) of the nearest others to each of the index's own `rows` (b,)."""
    queries = index.vectors[rows]
    squared, found = index.search(queries, k + 1)
    short = np.flatnonzero((found < 0).any(axis=1))  # the walk through the graph ended early
    if len(short):
        squared[short], found[short] = exact_neighbours(queries[short], index.vectors, k + 1)
    return _without_self(found, np.sqrt(squared), rows)


def _recall(vectors: np.ndarray, distances: np.ndarray) -> float:
    """Share of the true nearest others that a table of `distances` (N, k) has: those no farther than the true k-th."""
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), min(ASKED_AGAIN, len(vectors)), replace=False))
    found, _ = exact_others(vectors, rows, distances.shape[1])
    last = np.sqrt(squared_to(vectors[rows], vectors, found[:, -1:]))
    return float((distances[rows] <= last * (1 + TIE)).mean())


def _check_unit(vectors: np.ndarray, rows: np.ndarray) -> None:
    block = vectors[rows].astype(np.float32, copy=False)
    lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
    wrong = ~(np.abs(lengths - 1) < UNIT_TOLERANCE)  # a NaN is wrong too
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"Vector {rows[row]} has length {lengths[row]:.4g}, but must have length 1; normalise the rows."
        )


def _without_self(found: np.ndarray, distances: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop each row's own position, or its last neighbour where duplicates have crowded the sample itself out."""
    drop = found == rows[:, None]
    drop[~drop.any(axis=1), -1] = True
    shape = (len(rows), found.shape[1] - 1)
    return found[~drop].reshape(shape), distances[~drop].reshape(shape)
