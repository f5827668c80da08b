"""What a division did to the data, for the logs and the explorer's cluster pages. numpy only.

Legend: N data set, D width, K learners or clusters, P classes. Distances are Euclidean; positions are rows, 0..N-1.
"""

from dataclasses import dataclass

import numpy as np

from bon_core.division.clustering import cluster_means, squared_distances


def class_counts(labels: np.ndarray, clusters: np.ndarray, num_classes: int, num_clusters: int) -> np.ndarray:
    """Samples of each class in each cluster, (P, K) int64."""
    cells = np.bincount(labels.astype(np.int64) * num_clusters + clusters, minlength=num_classes * num_clusters)
    return cells.reshape(num_classes, num_clusters)


def has_positive(labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """(N,) bool: False for a sample that is alone in its class inside its cluster and so has no positive there.

    Such samples are dropped until the next clustering.
    """
    cells = labels.astype(np.int64) * (int(clusters.max()) + 1) + clusters
    _, cell, counts = np.unique(cells, return_inverse=True, return_counts=True)
    return counts[cell] > 1


def flows(previous: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Samples that went from one cluster to another or stayed: (M, 3) int64 rows (source, target, samples).

    Draw them with raw and with aligned labels of `current` to see what matching does.
    """
    width = int(current.max()) + 1
    pairs, counts = np.unique(previous.astype(np.int64) * width + current, return_counts=True)
    return np.column_stack([pairs // width, pairs % width, counts])


def slice_contributions(one: np.ndarray, other: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The K learners' parts in the squared distance of embeddings; they add up to the whole squared distance.

    Parameters
    ----------
    one, other : (..., D) embeddings as the network gives them: with slices these are unit slices over sqrt(K), so that
        a part is a learner's own squared distance over K
    masks : (K, D) what each learner sees; a dimension that several see is shared among them in proportion

    Returns
    -------
    (..., K) float64
    """
    squared = (one.astype(np.float64) - other.astype(np.float64)) ** 2
    return squared @ (masks / np.maximum(masks.sum(axis=0), 1e-12)).T.astype(np.float64)


def pieces(vectors: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
    """What each learner sees of vectors (N, D): K arrays of unit rows, without the dimensions its mask shuts out."""
    seen = [vectors[:, mask > 0] * mask[mask > 0] for mask in masks]
    return [piece / np.maximum(np.linalg.norm(piece, axis=1, keepdims=True), 1e-12) for piece in seen]


def slice_correlation(vectors: np.ndarray, masks: np.ndarray, *, seed: int, pairs: int = 20_000) -> np.ndarray:
    """How alike the learners judge: correlation (K, K) float64 of their distances over random pairs of samples.

    A learner whose distances do not vary has NaN in its row and column. `vectors` (N, D), N >= 2, `masks` (K, D).
    """
    rng = np.random.default_rng(seed)
    one = rng.integers(len(vectors), size=pairs)
    other = (one + rng.integers(1, len(vectors), size=pairs)) % len(vectors)  # never the sample itself
    distances = [
        np.linalg.norm((seen[one] - seen[other]).astype(np.float64), axis=1) for seen in pieces(vectors, masks)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(distances).reshape(len(masks), len(masks))


def negative_distances(
    vectors: np.ndarray, labels: np.ndarray, clusters: np.ndarray, *, seed: int, samples: int = 5_000
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of random pairs of different classes: within a cluster, and in the whole set.

    Division works if the first are smaller. Pairs of one class are drawn and left out, so either may be shorter than
    `samples`, or empty where a cluster holds one class.

    Returns
    -------
    two (<= samples,) float32 arrays
    """
    rng = np.random.default_rng(seed)
    one = rng.integers(len(vectors), size=samples)
    anyone = rng.integers(len(vectors), size=samples)
    _, names, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    by_cluster = np.argsort(names, kind="stable")
    first = np.cumsum(sizes) - sizes
    mate = by_cluster[first[names[one]] + rng.integers(sizes[names[one]])]  # a random member of the same cluster

    def distances(other: np.ndarray) -> np.ndarray:
        negative = labels[one] != labels[other]
        difference = vectors[one[negative]].astype(np.float32) - vectors[other[negative]].astype(np.float32)
        return np.linalg.norm(difference, axis=1)

    return distances(mate), distances(anyone)


@dataclass(frozen=True)
class Exemplars:
    """Positions of a cluster's telling members, most telling first.

    centre: nearest to the cluster's mean; border: where the second nearest mean is hardly farther than the own;
    newcomers: members that were in another cluster before, nearest to the mean first.
    """

    centre: np.ndarray
    border: np.ndarray
    newcomers: np.ndarray


def exemplars(
    vectors: np.ndarray,
    clusters: np.ndarray,
    num_clusters: int,
    *,
    count: int = 12,
    previous: np.ndarray | None = None,
    classes: np.ndarray | None = None,
) -> list[Exemplars]:
    """Up to `count` exemplars of each kind for each of K clusters, from the clusters' means in `vectors` (N, D).

    `previous` (N,) are the clusters before, aligned; without it there are no newcomers. With `classes` (N,) no class
    comes twice before each has come once: what lies nearest to a mean is often all of one class.
    """
    means, sizes = cluster_means(vectors, clusters, num_clusters)
    found = []
    for name in range(num_clusters):
        members = np.flatnonzero(clusters == name)
        squared = squared_distances(vectors[members], means)  # (members, K)
        own = squared[:, name].copy()
        squared[:, (sizes == 0) | (np.arange(num_clusters) == name)] = 8  # farther than unit vectors can be
        central = members[np.argsort(own, kind="stable")]
        lead = squared.min(axis=1) - own
        new = central[:0] if previous is None else central[previous[central] != name]
        border = members[np.argsort(lead, kind="stable")]
        kinds = (central, border, new) if classes is None else (_varied(p, classes) for p in (central, border, new))
        found.append(Exemplars(*(kind[:count] for kind in kinds)))
    return found


def _varied(positions: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Positions in order, the first of each class before the second of any."""
    numbers = classes[positions]
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], numbers[order])
    nth = np.empty(len(positions), np.int64)
    nth[order] = np.arange(len(positions)) - starts
    return positions[np.argsort(nth, kind="stable")]
