"""Clusters: who went where, who is a specialist, and an order of classes in which blocks show. numpy only.

Legend: P classes, K clusters.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bon_core.base.ids import rows_of


class Phase(NamedTuple):
    """A stretch of the training, from step `start` to before step `end`."""

    name: str  # joint, split, clustered or conquer
    start: int
    end: int


def phases(steps: Iterable[Mapping[str, Any]]) -> list[Phase]:
    """The stretches of logged steps, which have step and phase; the last ends with the last of them."""
    found: list[Phase] = []
    for event in steps:
        if found and found[-1].name == event["phase"]:
            found[-1] = found[-1]._replace(end=event["step"])
        else:
            if found:
                found[-1] = found[-1]._replace(end=event["step"])
            found.append(Phase(event["phase"], found[-1].end if found else 0, event["step"]))
    return found


def largest_moves(flows: np.ndarray, top: int) -> list[tuple[int, int]]:
    """The (before, after) of the largest flows (K, K) that did change cluster, at most `top`."""
    moved = flows * ~np.eye(len(flows), dtype=bool)
    order = np.argsort(-moved, axis=None, kind="stable")[: min(top, int((moved > 0).sum()))]
    return [divmod(int(place), flows.shape[1]) for place in order]


def specialists(matrix: np.ndarray) -> float:
    """By how much a learner is better on its own cluster than the other learners are there, on average.

    matrix (K, K) is the recall of each learner (row) on each cluster (column), NaN where there is none.
    """
    own = np.eye(len(matrix), dtype=bool)
    others = np.where(own, np.nan, matrix)
    known = ~np.isnan(np.diag(matrix)) & ~np.isnan(others).all(axis=0)
    return (
        float(np.mean(np.diag(matrix)[known] - np.nanmean(others[:, known], axis=0))) if known.any() else float("nan")
    )


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
    rows = rows_of(known_ids, ids)
    return np.where(rows >= 0, known[rows], -1).astype(np.int64)
