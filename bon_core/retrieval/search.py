"""Nearest samples to a few queries from outside the set, such as an uploaded picture. numpy only."""

import numpy as np

from bon_core.config import InputError


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
    similarity = queries.astype(np.float32) @ vectors.astype(np.float32, copy=False).T  # (Q, N)
    kth = np.partition(similarity, len(vectors) - k, axis=1)[:, len(vectors) - k]
    positions = np.empty((len(queries), k), dtype=np.int64)
    for query, bound in enumerate(kth):
        candidates = np.flatnonzero(similarity[query] >= bound)  # ascending, so that a stable sort orders ties
        order = np.argsort(-similarity[query, candidates], kind="stable")
        positions[query] = candidates[order[:k]]
    squared = 2 - 2 * np.take_along_axis(similarity, positions, axis=1)
    return positions, np.sqrt(np.maximum(squared, 0))
