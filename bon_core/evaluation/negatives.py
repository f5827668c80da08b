"""Negatives out of hash buckets, and how hard they are: their rank among all negatives of the anchor, by exact search.

numpy only. Legend: N samples, D width, n anchors, k negatives of each.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.evaluation.distances import squared_to_all

COMPARED = 2**24  # distances held at once
MAX_MATES = 4096  # of a bucket that an anchor is compared with; of more, a draw


class Hardness(NamedTuple):
    """Of mined negatives distances (n, k) float32 and ranks (n, k) int64, 1 the hardest; of the hardest of all
    negatives its position (n,) int64 and its distance (n,) float32.
    """

    distances: np.ndarray
    ranks: np.ndarray
    hardest: np.ndarray
    hardest_distance: np.ndarray


def hardness_of(
    vectors: np.ndarray, labels: np.ndarray, mined: np.ndarray, *, anchors: np.ndarray | None = None
) -> Hardness:
    """Compare mined negatives with all samples of other classes.

    Parameters
    ----------
    vectors : (N, D) float32, unit rows
    labels : (N,) integers, two classes at least
    mined : (n, k) positions of samples of another class than their anchor's
    anchors : (n,) positions; None for all N in order
    """
    anchors = np.arange(len(vectors)) if anchors is None else np.asarray(anchors)
    distances = np.empty(mined.shape, dtype=np.float32)
    ranks = np.empty(mined.shape, dtype=np.int64)
    hardest = np.empty(len(anchors), dtype=np.int64)
    hardest_distance = np.empty(len(anchors), dtype=np.float32)
    for block in row_chunks(len(anchors), max(1, COMPARED // len(vectors))):
        rows = anchors[block]
        away = squared_to_all(vectors[rows], vectors)  # (b, N)
        away[labels[rows, None] == labels] = np.inf
        hardest[block] = away.argmin(axis=1)
        hardest_distance[block] = np.sqrt(away.min(axis=1))
        chosen = np.take_along_axis(away, mined[block], axis=1)
        distances[block] = np.sqrt(chosen)
        for column in range(mined.shape[1]):
            ranks[block, column] = 1 + (away < chosen[:, column, None]).sum(axis=1)
    return Hardness(distances, ranks, hardest, hardest_distance)


def nearest_mates(vectors: np.ndarray, labels: np.ndarray, codes: np.ndarray, k: int, *, seed: int) -> np.ndarray:
    """The k nearest samples of other classes in the bucket of each sample: (N, k) positions, -1 where there are fewer.

    Parameters
    ----------
    vectors : (N, D)
    labels, codes : (N,) integers; samples of one code share a bucket
    seed : of the draw of `MAX_MATES` out of a bucket that is larger
    """
    picked = np.full((len(vectors), k), -1)
    rng = np.random.default_rng(seed)
    for members in _groups(codes):
        if (labels[members] == labels[members[0]]).all():
            continue
        mates = members if len(members) <= MAX_MATES else np.sort(rng.choice(members, MAX_MATES, replace=False))
        for rows in _blocks(members, len(mates)):
            away = squared_to_all(vectors[rows], vectors[mates])  # (b, mates)
            away[labels[rows, None] == labels[mates]] = np.inf
            near = np.argsort(away, axis=1, kind="stable")[:, :k]
            there = np.isfinite(np.take_along_axis(away, near, axis=1))
            picked[rows, : near.shape[1]] = np.where(there, mates[near], -1)
    return picked


def nearest_positives(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other sample of the own class: positions (N,) and distances (N,); -1 and NaN where there is none."""
    nearest, distance = np.full(len(vectors), -1), np.full(len(vectors), np.nan, dtype=np.float32)
    for members in _groups(labels):
        if len(members) < 2:
            continue
        for rows in _blocks(members, len(members)):
            away = squared_to_all(vectors[rows], vectors[members])
            away[rows[:, None] == members] = np.inf
            nearest[rows] = members[away.argmin(axis=1)]
            distance[rows] = np.sqrt(away.min(axis=1))
    return nearest, distance


def _groups(values: np.ndarray) -> list[np.ndarray]:
    """Positions, ascending, of each value in `values` (N,)."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1)


def _blocks(members: np.ndarray, others: int) -> Iterator[np.ndarray]:
    """`members` in parts, each compared with so many others at once."""
    for rows in row_chunks(len(members), max(1, COMPARED // others)):
        yield members[rows]
