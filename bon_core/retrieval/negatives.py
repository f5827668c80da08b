"""How hard mined negatives are: their rank among all negatives of the anchor, by exact search. numpy only."""

from typing import NamedTuple

import numpy as np

from bon_core.retrieval.distances import squared_to_all

COMPARED = 2**24  # distances held at once


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
    step = max(1, COMPARED // len(vectors))
    for start in range(0, len(anchors), step):
        block = slice(start, start + step)
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
