"""One division of the data: clusters of the present embedding, called as the clusters before that they continue.

Divide and conquer (Sanakoyeu et al., CVPR 2019, section 3.1). Legend: N data set, F feature width, K clusters.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bon_core.division.clustering import Clustering, cluster, match
from bon_core.division.diagnostics import has_positive


class Processes(Protocol):
    """Several that train together, of which one clusters for all: `bon_core.training.distributed.Ranks`."""

    first: bool

    def broadcast(self, *arrays: np.ndarray) -> None: ...


@dataclass(frozen=True)
class Partition:
    """raw: the clustering as k-means gave it; current: with the names that last; paired (N,) bool: has a positive in
    its cluster, and so a place in batches; before: the clustering that it follows."""

    raw: Clustering
    current: Clustering
    paired: np.ndarray
    before: Clustering | None

    def summary(self) -> dict[str, Any]:
        """What is logged of it."""
        before = self.before
        return {
            "sizes": np.bincount(self.current.labels, minlength=len(self.current.centroids)).tolist(),
            "kept": int(self.paired.sum()),
            "dropped": int((~self.paired).sum()),
            "moved": None if before is None else int((self.current.labels != before.labels).sum()),
            "moved_raw": None if before is None else int((self.raw.labels != before.labels).sum()),
            "objective": self.current.objective,
        }

    def confusion(self) -> np.ndarray:
        """(K, K before) int64: samples by their present cluster and the one before."""
        before = self.before
        counts = np.zeros((len(self.current.centroids), 1 if before is None else len(before.centroids)), np.int64)
        if before is not None:
            np.add.at(counts, (self.current.labels, before.labels), 1)
        return counts


def partition(
    features: np.ndarray,
    labels: np.ndarray,
    num_clusters: int,
    *,
    before: Clustering | None = None,
    matched: bool = True,
    seed: int = 0,
    processes: Processes | None = None,
) -> Partition:
    """Cluster `features` (N, F) float into K clusters.

    labels : (N,) classes; a sample alone in its class inside a cluster has no positive there
    before : the division before, whose names live on if `matched`
    """
    previous = before if matched else None
    start = None  # twice as many clusters need a start of their own
    if previous is not None and len(previous.centroids) == num_clusters:
        start = previous.labels
    if processes is None or processes.first:
        raw = cluster(features, num_clusters, seed=seed, previous=start)
    else:  # as much room
        centroids = np.empty((num_clusters, features.shape[1]), np.float32)
        raw = Clustering(np.empty(len(features), np.int64), centroids, math.nan)
    if processes is not None:
        processes.broadcast(raw.labels, raw.centroids)
    current = raw
    if previous is not None:
        current = raw.renamed(match(previous.labels, raw.labels, num_clusters, len(previous.centroids)))
    return Partition(raw, current, has_positive(labels, current.labels), before)
