"""Retrieval: nearest samples, which learner brought them, classes taken for each other. numpy only.

Legend: n samples, D width, K learners, k neighbours.
"""

from dataclasses import dataclass

import numpy as np

from bon_core.division.diagnostics import slice_contributions


@dataclass(frozen=True)
class Neighbour:
    """One retrieved sample.

    row : position among the n
    distance : to the query
    parts : (K,) the learners' parts of the squared distance; they add up to it
    ranks : (K,) the rank it would have had by each learner alone, from 1
    """

    row: int
    distance: float
    parts: np.ndarray
    ranks: np.ndarray


def retrieve(
    vectors: np.ndarray, query: np.ndarray, masks: np.ndarray, *, k: int, leave_out: int = -1
) -> list[Neighbour]:
    """The k nearest of vectors (n, D) to the query (D,), `leave_out` (the query's own row) not among them.

    masks (K, D): what each learner sees.
    """
    parts = slice_contributions(vectors, query[None], masks)  # (n, K)
    squared = parts.sum(axis=1)
    if 0 <= leave_out < len(vectors):
        squared[leave_out] = np.inf
        parts[leave_out] = np.inf
    near = np.argsort(squared, kind="stable")[: min(k, int(np.isfinite(squared).sum()))]
    ranks = 1 + (parts[None] < parts[near, None]).sum(axis=1)  # (k, K)
    return [
        Neighbour(int(row), float(np.sqrt(squared[row])), parts[row], rank)
        for row, rank in zip(near, ranks, strict=True)
    ]


def place_among(xy: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Where on the map a new sample would lie: mean of its neighbours' places xy (k, 2), the nearer the more weight."""
    weights = 1 / np.maximum(distances, 1e-6) ** 2
    return (xy * weights[:, None]).sum(axis=0) / weights.sum()


@dataclass(frozen=True)
class Confusion:
    """Two classes that are taken for each other.

    one, other : class numbers, one < other
    count : queries of either that retrieved the other, or anchors of either that were given the other as a negative:
        both ways together
    samples : of both classes there are
    query, found : positions of the worst such query and of what it retrieved or was given
    """

    one: int
    other: int
    count: int
    samples: int
    query: int
    found: int


def confusions(labels: np.ndarray, nearest: np.ndarray, hardness: np.ndarray, *, top: int = 24) -> list[Confusion]:
    """Pairs of classes by the number of wrong first neighbours between them, most first.

    Parameters
    ----------
    labels : (n,) of the queries
    nearest : (n,) position, among the same n, of each query's first neighbour
    hardness : (n,) the larger the worse; picks the query that is shown
    """
    wrong = np.flatnonzero(labels[nearest] != labels)
    return class_pairs_of(labels, wrong, nearest[wrong], hardness[wrong], top=top)


def class_pairs_of(
    labels: np.ndarray, query: np.ndarray, found: np.ndarray, hardness: np.ndarray, *, top: int = 24
) -> list[Confusion]:
    """Pairs of classes by how many pairs of samples lie between them, most first.

    Parameters
    ----------
    labels : (n,)
    query, found : (m,) positions among the n, of different classes
    hardness : (m,) the larger the worse; picks the pair that is shown
    """
    if not len(query):
        return []
    ends = np.sort(np.stack([labels[query], labels[found]], axis=1), axis=1)
    pairs, which, counts = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    by_hardness = np.lexsort((hardness, which.ravel()))  # the worst of each pair comes last
    worst = by_hardness[np.cumsum(counts) - 1]
    order = np.argsort(-counts, kind="stable")[:top]
    sizes = np.bincount(labels)
    return [
        Confusion(
            one=int(pairs[i, 0]),
            other=int(pairs[i, 1]),
            count=int(counts[i]),
            samples=int(sizes[pairs[i]].sum()),
            query=int(query[worst[i]]),
            found=int(found[worst[i]]),
        )
        for i in order
    ]


def failures(correct: np.ndarray, hardness: np.ndarray, *, top: int = 60) -> np.ndarray:
    """Positions of wrong retrievals, the most severe first."""
    wrong = np.flatnonzero(~correct)
    return wrong[np.argsort(-hardness[wrong], kind="stable")[:top]]
