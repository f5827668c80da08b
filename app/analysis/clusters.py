"""Clusters: who went where, and an order of classes in which blocks show. numpy only. Legend: P classes, K clusters."""

import numpy as np


def flow_matrix(before: np.ndarray, after: np.ndarray, count: int) -> np.ndarray:
    """How many samples went from cluster i to cluster j: (K, K) int64 from labels (n,) before and after."""
    return np.bincount(before.astype(np.int64) * count + after, minlength=count * count).reshape(count, count)


def block_order(counts: np.ndarray) -> np.ndarray:
    """Order of the classes (P,) of counts (P, K): by main cluster, and in it from the most loyal to the most spread."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.lexsort((-share.max(axis=1), share.argmax(axis=1)))


def most_spread(counts: np.ndarray, top: int) -> np.ndarray:
    """The `top` classes of counts (P, K) split most evenly over the clusters (by entropy), ascending."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    entropy = -np.sum(share * np.log(np.where(share > 0, share, 1)), axis=1)
    return np.sort(np.argsort(-entropy, kind="stable")[:top])


def labels_at(ids: np.ndarray, known_ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Cluster of each of `ids` (n,) in a clustering of `known_ids`: (n,) int64, -1 where it has none."""
    if not len(known_ids):
        return np.full(len(ids), -1, np.int64)
    order = np.argsort(known_ids, kind="stable")
    rows = order[np.searchsorted(known_ids, ids, sorter=order).clip(max=len(known_ids) - 1)]
    return np.where(known_ids[rows] == ids, known[rows], -1).astype(np.int64)
