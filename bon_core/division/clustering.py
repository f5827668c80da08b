"""Divide: k-means of the embedding, and names for its clusters that last (Sanakoyeu et al., CVPR 2019, section 3.1).

Legend: N data set, D width, K clusters.
"""

from dataclasses import dataclass

import numpy as np

from bon_core.config import InputError, check
from bon_core.division.slices import slices

STARTS = 3  # cold starts, of which the best is kept; a warm start needs no other
MAX_ROUNDS = 30
BLOCK = 65536  # rows worked on at once, so that a memory map stays on disk


@dataclass(frozen=True)
class Clustering:
    """A partition of N samples.

    Parameters
    ----------
    labels : (N,) int64, 0..K-1; no cluster is empty
    centroids : (K, D) float32, the clusters' means
    objective : mean squared distance of a sample to its centroid
    """

    labels: np.ndarray
    centroids: np.ndarray
    objective: float

    def renamed(self, names: np.ndarray) -> "Clustering":
        """The same partition with cluster c called names[c]; `names` is a permutation, such as `match` gives."""
        return Clustering(names[self.labels], self.centroids[np.argsort(names)], self.objective)


def cluster(vectors: np.ndarray, num_clusters: int, *, seed: int, previous: np.ndarray | None = None) -> Clustering:
    """Partition `vectors` into K clusters by Lloyd's k-means. The same arguments give the same clusters.

    Parameters
    ----------
    vectors : (N, D) float, finite; need not be of unit length
    num_clusters : K, 1 to N
    previous : (N,) labels of the clustering before; its clusters' means in the present `vectors` are then the start,
        which is quicker and keeps most samples where they were. Without it, the best of a few k-means++ starts.

    Notes
    -----
    A cluster that runs empty takes over the sample farthest from its centroid.

    Raises
    ------
    InputError
        If vectors are not a finite (N, D) array, K does not fit N, or `previous` does not fit either.
    """
    _check(vectors, num_clusters, previous)
    rng = np.random.default_rng(seed)
    if previous is not None:
        means, sizes = cluster_means(vectors, previous, num_clusters)
        living = means[sizes > 0]
        means[sizes == 0] = _spread(vectors, living, num_clusters, rng)[len(living) :]
        return _lloyd(vectors, means)
    firsts = rng.integers(len(vectors), size=(STARTS, 1))
    found = [_lloyd(vectors, _spread(vectors, vectors[first], num_clusters, rng)) for first in firsts]
    return min(found, key=lambda clustering: clustering.objective)


def match(previous: np.ndarray, current: np.ndarray, num_clusters: int, num_previous: int | None = None) -> np.ndarray:
    """Which previous cluster each current one continues: the pairing with the largest total overlap (Hungarian).

    Parameters
    ----------
    previous, current : (N,) labels of the same samples, 0..K-1
    num_previous : while learners double, how many previous clusters there were; each is then continued by those whose
        learners came out of its own

    Returns
    -------
    (K,) int64 permutation: current cluster c is to be called names[c]

    Raises
    ------
    InputError
        If the two label different numbers of samples, or a label is outside 0..K-1.
    """
    from scipy.optimize import linear_sum_assignment

    check(
        previous.shape == current.shape and previous.ndim == 1,
        f"The clusterings label {previous.shape} and {current.shape} samples, but must label the same;"
        " keep the samples of both.",
    )
    num_previous = num_previous or num_clusters
    _check_labels(previous, num_previous)
    _check_labels(current, num_clusters)
    heirs = slices(num_clusters, num_previous)
    overlap = np.zeros((num_clusters, num_clusters), dtype=np.int64)  # [current, name]
    for number, names in enumerate(heirs):
        overlap[:, names] = np.bincount(current[previous == number], minlength=num_clusters)[:, None]
    rows, columns = linear_sum_assignment(-overlap)
    names = np.empty(num_clusters, dtype=np.int64)
    names[rows] = columns
    return names


def align(previous: np.ndarray, current: np.ndarray, num_clusters: int) -> np.ndarray:
    """`current` (N,) labels renamed to the previous clusters they continue, so that each learner keeps its job."""
    return match(previous, current, num_clusters)[current]


def cluster_means(vectors: np.ndarray, labels: np.ndarray, num_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Means (K, D) float32 and sizes (K,) int64 of the clusters; the mean of an empty one is zero."""
    sums = np.zeros((num_clusters, vectors.shape[1]))
    for start in range(0, len(vectors), BLOCK):
        members = labels[start : start + BLOCK, None] == np.arange(num_clusters)  # (b, K)
        sums += members.T.astype(np.float32) @ vectors[start : start + BLOCK].astype(np.float32, copy=False)
    sizes = np.bincount(labels, minlength=num_clusters)
    return (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32), sizes


def squared_distances(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Squared distances (b, K) float32 of vectors (b, D) to centroids (K, D)."""
    vectors = vectors.astype(np.float32, copy=False)
    squared = np.einsum("nd,nd->n", vectors, vectors)[:, None] - 2 * vectors @ centroids.T
    return np.maximum(squared + np.einsum("kd,kd->k", centroids, centroids), 0)


def _lloyd(vectors: np.ndarray, means: np.ndarray) -> Clustering:
    labels = None
    for _ in range(MAX_ROUNDS):
        before, labels = labels, _assign(vectors, means)
        if before is not None and np.array_equal(before, labels):
            break
        means, _ = cluster_means(vectors, labels, len(means))
    total = 0.0
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, start + BLOCK)
        total += float(np.square(vectors[block] - means[labels[block]]).sum(dtype=np.float64))
    return Clustering(labels, means, total / len(vectors))


def _assign(vectors: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The nearest mean of each sample, (N,); a mean without samples is given the farthest one of another."""
    labels = np.empty(len(vectors), dtype=np.int64)
    away = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        squared = squared_distances(vectors[start : start + BLOCK], means)
        labels[start : start + BLOCK] = squared.argmin(axis=1)
        away[start : start + BLOCK] = squared.min(axis=1)
    sizes = np.bincount(labels, minlength=len(means))
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        farthest = iter(np.argsort(-away, kind="stable"))
        for name in empty:
            sample = next(i for i in farthest if sizes[labels[i]] > 1)
            sizes[labels[sample]] -= 1
            labels[sample] = name
    return labels


def _spread(vectors: np.ndarray, means: np.ndarray, num_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: add samples to `means` up to K, each drawn in proportion to its squared distance to those there."""
    away = np.full(len(vectors), np.inf, dtype=np.float32)
    means = latest = means.astype(np.float32)
    while len(means) < num_clusters:
        for start in range(0, len(vectors), BLOCK):
            block = slice(start, start + BLOCK)
            away[block] = np.minimum(away[block], squared_distances(vectors[block], latest).min(axis=1))
        mass = np.cumsum(away, dtype=np.float64)
        place = min(int(np.searchsorted(mass, rng.random() * mass[-1], side="right")), len(vectors) - 1)
        latest = vectors[place : place + 1].astype(np.float32)
        means = np.concatenate([means, latest])
    return means


def _check(vectors: np.ndarray, num_clusters: int, previous: np.ndarray | None) -> None:
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or 0 in vectors.shape:
        raise InputError(
            f"Vectors to cluster are {vectors.dtype} of shape {vectors.shape}, but must be a float (samples, width)"
            " array; give one row a sample."
        )
    check(
        1 <= num_clusters <= len(vectors),
        f"{len(vectors)} samples cannot form {num_clusters} clusters; ask for 1 to {len(vectors)}.",
    )
    if not all(np.isfinite(vectors[start : start + BLOCK]).all() for start in range(0, len(vectors), BLOCK)):
        raise InputError("Vectors to cluster hold NaN or infinity; lower the learning rate, or drop such rows.")
    if previous is not None:
        check(
            previous.shape == (len(vectors),),
            f"The previous clustering has shape {previous.shape}, but there are {len(vectors)} samples;"
            " give one label a sample.",
        )
        _check_labels(previous, num_clusters)


def _check_labels(labels: np.ndarray, num_clusters: int) -> None:
    check(
        labels.dtype.kind in "iu" and labels.size > 0 and labels.min() >= 0 and labels.max() < num_clusters,
        f"Cluster labels must be integers from 0 to {num_clusters - 1}, but are {labels.dtype}"
        + (f" from {labels.min()} to {labels.max()}" if labels.size else " and none")
        + "; give the labels of a clustering into as many clusters.",
    )
