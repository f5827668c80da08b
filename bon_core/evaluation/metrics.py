"""Retrieval metrics, all from one NeighbourTable (Musgrave et al., "A Metric Learning Reality Check", ECCV 2020).

Protocol: every sample is a query against all others of the table. R is the number of others of its class; queries with
R = 0 have nothing to find and are dropped from all means.

Legend: N data set, D width, P classes, k neighbours in the table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.config import InputError, check
from bon_core.evaluation.neighbours import NeighbourTable

RECALL_AT = (1, 2, 4, 8)
CHUNK_ENTRIES = 2**22  # of a table, worked on at once


@dataclass(frozen=True)
class QueryResults:
    """What each of N queries found.

    Parameters
    ----------
    relevant : (N,) int64, R
    first_correct : (N,) int64, rank of the first neighbour of the query's class, from 1; 0 if not among the k
    r_precision : (N,) float64, share of the class among the first R; NaN where R = 0
    ap_at_r : (N,) float64, (1 / R) * sum over i <= R of P(i) * correct(i); NaN where R = 0
    """

    relevant: np.ndarray
    first_correct: np.ndarray
    r_precision: np.ndarray
    ap_at_r: np.ndarray

    @property
    def correct_at_1(self) -> np.ndarray:
        """(N,) bool: the nearest neighbour is of the query's class."""
        return self.first_correct == 1


def neighbours_needed(labels: np.ndarray) -> int:
    """How many neighbours the metrics need: the largest R, at least 8, at most what N samples can give."""
    largest = int(np.unique(labels, return_counts=True)[1].max())
    return max(1, min(max(RECALL_AT[-1], largest - 1), len(labels) - 1))


def recall(table: NeighbourTable, labels: np.ndarray) -> dict[str, Any]:
    """Recall@1, 2, 4 and 8: the share of queries with one of their class among the first so many neighbours; and
    `queries`, the number of those that have any to find.

    Enough where classes are so large that a table of R columns would not fit; it needs 8 neighbours a sample.

    Raises
    ------
    InputError
        If the table has fewer neighbours, labels do not fit it, or no class has two samples.
    """
    relevant = _relevant(table, labels)
    needed = min(RECALL_AT[-1], len(table) - 1)
    check(
        table.k >= needed,
        f"Recall needs {needed} neighbours a sample, but the table has {table.k}; search for {needed}.",
    )
    first = np.concatenate([_first_correct(match) for _, match in _matches(table, labels, needed)])
    first = first[relevant > 0]
    shares = {f"recall@{rank}": float(np.mean((first > 0) & (first <= rank))) for rank in RECALL_AT}
    return {**shares, "queries": len(first)}


def retrieval_metrics(table: NeighbourTable, labels: np.ndarray) -> dict[str, float]:
    """Recall@1 (which is precision@1), @2, @4, @8, R-precision and MAP@R, means over the queries with R > 0.

    Parameters
    ----------
    table : with at least max(R) and 8 neighbours a sample; see `neighbours_needed`
    labels : (N,) integers

    Returns
    -------
    dict with keys recall@1, recall@2, recall@4, recall@8, r_precision, map@r, each 0 to 1, and queries, their number

    Raises
    ------
    InputError
        If the table has too few neighbours, labels do not fit it, or no class has two samples.
    """
    results = per_query(table, labels)
    counted = results.relevant > 0
    return {
        **recall(table, labels),
        "r_precision": float(results.r_precision[counted].mean()),
        "map@r": float(results.ap_at_r[counted].mean()),
    }


def per_query(table: NeighbourTable, labels: np.ndarray) -> QueryResults:
    """The same for each query apart. Memory does not grow with the number of classes.

    Raises
    ------
    InputError
        As `retrieval_metrics`.
    """
    relevant = _relevant(table, labels)
    largest = int(relevant.max())
    check(
        table.k >= largest,
        f"The largest class needs {largest} neighbours a sample, but the table has {table.k};"
        f" search for {neighbours_needed(labels)}.",
    )
    first = np.empty(len(table), dtype=np.int64)
    r_precision = np.full(len(table), np.nan)
    ap_at_r = np.full(len(table), np.nan)
    ranks = np.arange(1, largest + 1)
    for rows, match in _matches(table, labels, table.k):
        first[rows] = _first_correct(match)
        within = relevant[rows]
        hits = match[:, :largest] & (ranks <= within[:, None])  # (b, max R)
        found = np.cumsum(hits, axis=1, dtype=np.int32)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a query with R = 0
            r_precision[rows] = found[:, -1] / within
            ap_at_r[rows] = np.sum(found / ranks, axis=1, where=hits) / within
    return QueryResults(relevant, first, r_precision, ap_at_r)


def nmi(vectors: np.ndarray, labels: np.ndarray, *, seed: int) -> float:
    """Normalised mutual information (0 to 1) of the classes and a k-means of `vectors` (N, D) into P clusters.

    Given for comparison with older papers; it says less about retrieval than MAP@R.
    """
    import faiss
    from sklearn.metrics import normalized_mutual_info_score

    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    classes = len(np.unique(labels))
    kmeans = faiss.Kmeans(vectors.shape[1], classes, seed=seed, min_points_per_centroid=1)
    kmeans.train(vectors)
    _, clusters = kmeans.index.search(vectors, 1)
    return float(normalized_mutual_info_score(labels, clusters[:, 0]))


def _check_labels(table: NeighbourTable, labels: np.ndarray) -> None:
    check(
        labels.shape == (len(table),),
        f"There are {len(table)} samples in the table but labels have shape {labels.shape}; give one label a sample.",
    )


def _relevant(table: NeighbourTable, labels: np.ndarray) -> np.ndarray:
    """R of each query, (N,) int64."""
    _check_labels(table, labels)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    relevant = counts[classes] - 1
    if not relevant.any():
        raise InputError("Every class has a single sample, so there is nothing to retrieve; give two of some class.")
    return relevant


def _matches(table: NeighbourTable, labels: np.ndarray, columns: int):
    """Yield chunks of rows and whether their first `columns` neighbours are of the query's class, (b, columns) bool."""
    for rows in row_chunks(len(table), max(1, CHUNK_ENTRIES // columns)):
        yield rows, labels[table.indices[rows, :columns]] == labels[rows, None]


def _first_correct(match: np.ndarray) -> np.ndarray:
    """Rank of the first True in each row, from 1; 0 if there is none."""
    return np.where(match.any(axis=1), match.argmax(axis=1) + 1, 0)
