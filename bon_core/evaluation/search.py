"""Nearest samples to a few queries from outside the set, such as an uploaded picture. numpy only."""

import numpy as np

from bon_core.config import InputError
from bon_core.evaluation.distances import squared_to_all


def nearest(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of N vectors to each of Q queries, exactly.

    Parameters
    ----------
    queries : (Q, D) unit rows
    vectors : (N, D) unit rows

    Returns
    -------
    positions : (Q, k) int64, nearest first, equal distances by position
    distances : (Q, k) float32, Euclidean

    Raises
    ------
    InputError
        If the widths differ, or there are fewer than k vectors.
    """
    if queries.ndim != 2 or queries.shape[1] != vectors.shape[1]:
        raise InputError(
            f"Queries have shape {queries.shape}, but the embeddings are {vectors.shape[1]} wide;"
            " embed the queries with the same network."
        )
    if not 1 <= k <= len(vectors):
        raise InputError(f"{k} neighbours were asked of {len(vectors)} embeddings; ask for 1 to {len(vectors)}.")
    squared = squared_to_all(queries, vectors)  # (Q, N)
    kth = np.partition(squared, k - 1, axis=1)[:, k - 1]
    positions = np.empty((len(queries), k), dtype=np.int64)
    for query, bound in enumerate(kth):
        candidates = np.flatnonzero(squared[query] <= bound)  # ascending, so that a stable sort orders ties
        positions[query] = candidates[np.argsort(squared[query, candidates], kind="stable")[:k]]
    return positions, np.sqrt(np.take_along_axis(squared, positions, axis=1)).astype(np.float32)
