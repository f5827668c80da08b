"""Divide: k-means of the embedding, and names for its clusters that last (Sanakoyeu et al., CVPR 2019, section 3.1).

Legend: N data set, D width, K clusters.
"""

from dataclasses import dataclass

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.config import InputError, check
from bon_core.division.slices import slices

STARTS = 3  # cold starts, of which the best is kept; a warm start needs no other
MAX_ROUNDS = 30
ENOUGH = 1e-7  # relative gain of the objective in a round, below which faiss ends: what float32 can tell apart


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
    """Partition `vectors` into K clusters by faiss's k-means. The same arguments give the same clusters.

    Parameters
    ----------
    vectors : (N, D) float, finite; need not be of unit length. C-contiguous float32 is read where it lies, also when it
        is mapped from a file; anything else is copied as float32
    num_clusters : K, 1 to N
    previous : (N,) labels of the clustering before; its clusters' means in the present `vectors` are then the start,
        which is quicker and keeps most samples where they were. Without it, the best of a few k-means++ starts.

    Notes
    -----
    faiss splits a large cluster where one runs empty. One that is empty even so, as in a collapsed embedding, takes
    over the sample farthest from its centroid.

    Raises
    ------
    InputError
        If vectors are not a finite (N, D) array, K does not fit N, or `previous` does not fit either.
    """
    _check(vectors, num_clusters, previous)
    if previous is None:
        return _settled(vectors, _trained(vectors, num_clusters, seed))
    means, sizes = cluster_means(vectors, previous, num_clusters)
    names = np.argsort(sizes == 0, kind="stable")  # of faiss's centroids, which begin with those that it is given
    means[names] = _trained(vectors, num_clusters, seed, start=means[sizes > 0])
    return _settled(vectors, means)


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
    for number, heir in enumerate(heirs):
        overlap[:, heir] = np.bincount(current[previous == number], minlength=num_clusters)[:, None]
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
    for rows in row_chunks(len(vectors)):
        members = labels[rows, None] == np.arange(num_clusters)  # (b, K)
        sums += members.T.astype(np.float32) @ vectors[rows].astype(np.float32, copy=False)
    sizes = np.bincount(labels, minlength=num_clusters)
    return (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32), sizes


def squared_distances(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Squared distances (b, K) float32 of vectors (b, D) to centroids (K, D)."""
    vectors = vectors.astype(np.float32, copy=False)
    squared = np.einsum("nd,nd->n", vectors, vectors)[:, None] - vectors @ (2 * centroids.T)
    return np.maximum(squared + np.einsum("kd,kd->k", centroids, centroids), 0)


def _trained(vectors: np.ndarray, num_clusters: int, seed: int, start: np.ndarray | None = None) -> np.ndarray:
    """Centroids (K, D) float32: `start`'s first, each moved, then those that k-means++ adds up to K."""
    import faiss

    kmeans = faiss.Kmeans(
        vectors.shape[1],
        num_clusters,
        niter=MAX_ROUNDS,
        nredo=STARTS if start is None else 1,
        seed=int(np.random.default_rng(seed).integers(2**31)),
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        early_stop_threshold=ENOUGH,
        min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),  # all of them; faiss would take a sample
        check_input_data_for_NaNs=False,
    )
    kmeans.train(vectors, init_centroids=start)
    return np.asarray(kmeans.centroids)


def _settled(vectors: np.ndarray, means: np.ndarray) -> Clustering:
    """Each sample with its nearest of `means`, and what that gives."""
    labels = _assign(vectors, means)
    means, _ = cluster_means(vectors, labels, len(means))
    total = sum(
        float(np.square(vectors[rows] - means[labels[rows]]).sum(dtype=np.float64)) for rows in row_chunks(len(vectors))
    )
    return Clustering(labels, means, total / len(vectors))


def _assign(vectors: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The nearest mean of each sample, (N,); a mean without samples is given the farthest one of another."""
    labels = np.empty(len(vectors), dtype=np.int64)
    away = np.empty(len(vectors), dtype=np.float32)
    for rows in row_chunks(len(vectors)):
        squared = squared_distances(vectors[rows], means)
        labels[rows] = squared.argmin(axis=1)
        away[rows] = squared.min(axis=1)
    sizes = np.bincount(labels, minlength=len(means))
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        farthest = iter(np.argsort(-away, kind="stable"))
        for name in empty:
            sample = next(i for i in farthest if sizes[labels[i]] > 1)
            sizes[labels[sample]] -= 1
            labels[sample] = name
    return labels


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
    if not all(np.isfinite(vectors[rows]).all() for rows in row_chunks(len(vectors))):
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
