"""How hard mined negatives are: their rank among all negatives of the anchor, by exact search. numpy only."""

from typing import NamedTuple

import numpy as np

COMPARED = 2**25  # distances held at once


class Hardness(NamedTuple):
    """distances (n, k) float32 and ranks (n, k) int64 of mined negatives, 1 the hardest; hardest (n,) float32."""

    distances: np.ndarray
    ranks: np.ndarray
    hardest: np.ndarray


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
    hardest = np.empty(len(anchors), dtype=np.float32)
    step = max(1, COMPARED // len(vectors))
    for start in range(0, len(anchors), step):
        block = slice(start, start + step)
        rows = anchors[block]
        away = np.sqrt(np.maximum(2 - 2 * vectors[rows] @ vectors.T, 0))  # (b, N)
        away[labels[rows, None] == labels] = np.inf
        hardest[block] = away.min(axis=1)
        distances[block] = np.take_along_axis(away, mined[block], axis=1)
        for column in range(mined.shape[1]):
            ranks[block, column] = 1 + (away < distances[block, column, None]).sum(axis=1)
    return Hardness(distances, ranks, hardest)
