"""Survey: measure one embedding in every way the explorer shows, and write it down as a snapshot.

kNN is searched once, within each split, and serves metrics, hardness, UMAP and the views alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bon_core.config import check
from bon_core.datasets.image_set import SPLIT_NAMES
from bon_core.division.clustering import cluster
from bon_core.division.diagnostics import pieces, slice_correlation
from bon_core.embeddings import EmbeddingSet
from bon_core.mining.codes import codes_of
from bon_core.projection import project, trust, trustworthiness
from bon_core.retrieval.metrics import RECALL_AT, neighbours_needed, nmi, recall, retrieval_metrics
from bon_core.retrieval.neighbours import NeighbourTable, build_neighbours
from bon_core.snapshot import NEIGHBOURS_KEPT, Snapshot, write

PROTOCOL = "each sample queries all others of its split; Euclidean distance between unit vectors"
DISJOINT = "; test and validation classes were not trained on"
MOST_NEIGHBOURS = 1024  # classes larger than this get no MAP@R and no R-Precision: the table would outgrow memory

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Hashing:
    """The hasher and table a snapshot shows: mean (D,), projection (D, S), stored (N,) codes, -1 where unseen."""

    mean: np.ndarray
    projection: np.ndarray
    stored: np.ndarray
    origin: str  # "mined": training mined with it; "fitted": made afterwards, to look at


@dataclass(frozen=True, kw_only=True)
class Division:
    """Clusters (N,) of the samples that have one, -1 for the rest, and where they come from."""

    clusters: np.ndarray
    count: int
    origin: str  # "learners": training used them; "fitted": made afterwards, to look at


def measure(embeddings: EmbeddingSet) -> dict[str, Any]:
    """Retrieval metrics of one split, for the log: cheap enough to take while training."""
    table = _table(embeddings.vectors, embeddings.labels, None)
    return _metrics(table, embeddings.labels)


def fitted_division(vectors: np.ndarray, count: int, *, seed: int) -> Division:
    """K-means clusters for an embedding that was not trained divided."""
    count = min(count, len(vectors))
    return Division(clusters=cluster(vectors, count, seed=seed).labels, count=count, origin="fitted")


def take(
    path: Path,
    embeddings: EmbeddingSet,
    split: np.ndarray,
    *,
    fields: Mapping[str, np.ndarray],
    hashing: Hashing,
    division: Division,
    masks: np.ndarray,
    meta: Mapping[str, Any],
    seed: int = 0,
    progress: Progress = lambda share, text: None,
) -> Snapshot:
    """Measure `embeddings` (N samples of all splits) and write the snapshot folder `path`.

    `masks` (K, D) say what each learner sees of the embedding. `meta` brings what only the caller knows: step, epoch,
    origin, data, baseline.
    """
    vectors, labels = embeddings.vectors, embeddings.labels
    progress(0.05, "searching neighbours")
    table = _table(vectors, labels, split)

    progress(0.2, "measuring retrieval")
    metrics = _metrics_by_split(table, vectors, labels, split, seed)
    for found in metrics.values():
        found["protocol"] = PROTOCOL + (DISJOINT if meta["origin"] == "trained" else "")

    progress(0.4, "placing clusters")
    centroids, clusters, to_centroid = _clusters(vectors, division)
    report = _slices(vectors, labels, split, clusters, division.count, masks, seed) if len(masks) > 1 else None

    progress(0.5, "drawing the map")
    xy = project(vectors, table, seed=seed)
    progress(0.9, "checking the map")
    arrays = {
        "ids": embeddings.ids,
        "labels": labels,
        "split": split,
        "vectors": vectors,
        "xy": xy,
        "trust": trust(xy, table, groups=split),
        "codes": codes_of(vectors, hashing.mean, hashing.projection),
        "stored_codes": hashing.stored,
        "clusters": clusters,
        "cluster_distance": to_centroid,
        "neighbours": table.indices[:, :NEIGHBOURS_KEPT],
        "neighbour_distances": table.distances[:, :NEIGHBOURS_KEPT],
        "correct": labels[table.indices[:, 0]] == labels,
        "hardness": _hardness(table, labels),
        "hash_mean": hashing.mean,
        "hash_projection": hashing.projection,
        "centroids": centroids,
        "masks": masks,
    }
    return write(
        path,
        arrays,
        fields,
        {
            "class_names": list(embeddings.class_names),
            "learners": len(masks),
            "metrics": metrics,
            "trustworthiness": trustworthiness(xy, vectors, seed=seed),
            "hasher_origin": hashing.origin,
            "clusters_origin": division.origin,
            "division": report,
            **meta,
        },
    )


def _table(vectors: np.ndarray, labels: np.ndarray, split: np.ndarray | None) -> NeighbourTable:
    """The neighbours within each split: as many as the metrics need, the smallest split has, and memory bears."""
    sizes = np.array([len(vectors)]) if split is None else np.unique(split, return_counts=True)[1]
    needed = min(RECALL_AT[-1], int(sizes.max()) - 1)
    check(
        sizes.min() > needed,
        f"The smallest split has {sizes.min()} samples, but Recall@{needed} needs {needed + 1}; add samples or"
        " give one split only.",
    )
    wanted = max(NEIGHBOURS_KEPT, min(neighbours_needed(labels, split), MOST_NEIGHBOURS))
    return build_neighbours(vectors, min(wanted, int(sizes.min()) - 1), groups=split)


def _metrics(table: NeighbourTable, labels: np.ndarray) -> dict[str, Any]:
    counts = {"queries": len(labels), "classes": len(np.unique(labels))}
    if table.k < neighbours_needed(labels):
        return {**recall(table, labels), "r_precision": None, "map@r": None, **counts}
    return {**counts, **retrieval_metrics(table, labels)}


def _metrics_by_split(
    table: NeighbourTable, vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, seed: int
) -> dict[str, dict[str, Any]]:
    metrics = {}
    for code in np.unique(split):
        rows = np.flatnonzero(split == code)
        found = _metrics(table.part(rows), labels[rows])
        metrics[SPLIT_NAMES[code]] = {**found, "nmi": nmi(vectors[rows], labels[rows], seed=seed)}
    return metrics


def _hardness(table: NeighbourTable, labels: np.ndarray) -> np.ndarray:
    """d(nearest of the own class) - d(nearest of another), (N,); beyond the table its last distance stands in."""
    same = labels[table.indices] == labels[:, None]  # (N, k)
    last = table.distances[:, -1]

    def first(wanted: np.ndarray) -> np.ndarray:
        at = wanted.argmax(axis=1)
        return np.where(wanted.any(axis=1), table.distances[np.arange(len(at)), at], last)

    return first(same) - first(~same)


def _clusters(vectors: np.ndarray, division: Division) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centroids (K, D) on the present embedding, every sample's cluster (N,), and its distance to the centroid (N,)."""
    known = division.clusters >= 0
    centroids = np.zeros((division.count, vectors.shape[1]), dtype=np.float32)
    np.add.at(centroids, division.clusters[known], vectors[known])
    centroids /= np.maximum(np.bincount(division.clusters[known], minlength=division.count), 1)[:, None]
    distance = np.sqrt(np.maximum(1 + (centroids**2).sum(1) - 2 * vectors @ centroids.T, 0))  # (N, K); rows are unit
    clusters = np.where(known, division.clusters, distance.argmin(axis=1))
    return centroids, clusters, distance[np.arange(len(vectors)), clusters]


def _slices(
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    clusters: np.ndarray,
    count: int,
    masks: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Recall@1 of every learner's slice, as a whole and by the cluster of the query, on the last split there is."""
    rows = np.flatnonzero(split == np.unique(split)[-1])

    def correct(piece: np.ndarray) -> np.ndarray:
        nearest = build_neighbours(piece, 1).indices[:, 0]
        return labels[rows][nearest] == labels[rows]

    found = [correct(piece) for piece in pieces(vectors[rows], masks)]
    of_query = clusters[rows]
    matrix = [
        [float(hits[of_query == number].mean()) if (of_query == number).any() else None for number in range(count)]
        for hits in found
    ]
    return {
        "slice_recall": [float(hits.mean()) for hits in found],
        "whole": float(correct(vectors[rows]).mean()),
        "matrix": matrix,
        "correlation": [
            [None if np.isnan(value) else float(value) for value in row]
            for row in slice_correlation(vectors[rows], masks, seed=seed)
        ],
    }
