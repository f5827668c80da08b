"""Measure one embedding in every way the explorer shows, and write it down as a snapshot.

kNN is searched once in each split, which is measured by itself, and serves metrics, hardness, UMAP and the views alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.config import check
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.datasets.image_set import SPLIT_NAMES
from bon_core.division.clustering import cluster, cluster_means, squared_distances
from bon_core.division.diagnostics import pieces, slice_correlation
from bon_core.evaluation.distances import distinct, spread
from bon_core.evaluation.metrics import RECALL_AT, neighbours_needed, nmi, recall, retrieval_metrics
from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours, exact_others, joined
from bon_core.maps.projection import project, some_rows, trust, trustworthiness
from bon_core.mining.codes import codes_of
from bon_core.runs.snapshot import NARROW, NEIGHBOURS_KEPT, Snapshot, write

PROTOCOL = "each sample queries all others of its split; Euclidean distance between unit vectors"
ONE_CLASS = "all samples are of one class, so every neighbour is right and Recall says nothing"
DISJOINT = "; test and validation classes were not trained on"
MAX_NEIGHBOURS = 1024  # classes larger than this get no MAP@R and no R-Precision: the table would outgrow memory,
MAX_ENTRIES = 2**26  # as would one of more entries than these
CLUSTERS_TO_LOOK_AT = 4  # for embeddings that were not trained divided
MAX_CLUSTERED = 100_000  # samples that k-means goes over again and again, for clusters to look at
MAX_SLICED = 20_000  # queries of every learner's slice
MAX_COMPARED = 10**9  # samples x classes; beyond, k-means for NMI would take longer than all else together
CROWDED, MAX_NAMED = 10, 1000  # so many samples a distinct point, of no more points than these, are said

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
    return compute_metrics(search(embeddings.vectors, embeddings.labels), embeddings.labels)


def compute_metrics(table: NeighbourTable, labels: np.ndarray) -> dict[str, Any]:
    """What `measure` gives, of neighbours that `search` found among N samples with `labels` (N,)."""
    found = _metrics(table, labels)
    note = {"note": ONE_CLASS} if found["classes"] == 1 else {}
    return {**found, "search": table.kind, "search_recall": table.recall, **note}


def search(vectors: np.ndarray, labels: np.ndarray, indexes: Path | None = None) -> NeighbourTable:
    """The neighbours among samples of one split: as many as the metrics need, there are, and memory bears."""
    needed = min(RECALL_AT[-1], len(vectors) - 1)
    bearable = min(MAX_NEIGHBOURS, MAX_ENTRIES // len(vectors))
    wanted = max(needed, NEIGHBOURS_KEPT, min(neighbours_needed(labels), bearable))
    return build_neighbours(vectors, min(wanted, len(vectors) - 1), folder=indexes)


def check_measurable(labels: np.ndarray, split: np.ndarray) -> None:
    """Raise InputError if a split has nothing to retrieve: no class with two samples. labels and split (N,)."""
    for code in np.unique(split):
        counts = np.bincount(labels[split == code])
        check(
            counts.max() >= 2,
            f"No class of the {SPLIT_NAMES[code]} part has two samples, so there is nothing to retrieve in its"
            f" {counts.sum():,}; add samples to its classes, or leave this part out.",
        )


def fitted_hashing(vectors: np.ndarray) -> Hashing:
    """A hasher and table for an embedding that was not trained with them, to look at."""
    import torch

    from bon_core.mining import BagOfNegatives

    labels = torch.zeros(len(vectors), dtype=torch.int64)
    bag = BagOfNegatives(labels, dim=vectors.shape[1], warn=False)  # crowded or not, it is only looked at
    everything = torch.from_numpy(np.ascontiguousarray(vectors))
    order = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(0))
    for ids in order.split(512):
        bag.update(ids, everything[ids])
    for ids in order.split(4096):
        bag.rehash(ids, everything[ids])
    return hashing_of(bag, np.arange(len(vectors)), len(vectors), origin="fitted")


def hashing_of(bag: Any, positions: np.ndarray, count: int, *, origin: str) -> Hashing:
    """What a snapshot shows of a bag whose samples are the rows `positions` of `count`."""
    stored = np.full(count, -1, dtype=np.int64)
    stored[positions] = bag.codes.cpu().numpy()
    return Hashing(
        mean=bag.hasher.mean.cpu().numpy(),
        projection=bag.hasher.projection.cpu().numpy(),
        stored=stored,
        origin=origin,
    )


def fitted_division(vectors: np.ndarray, count: int, *, seed: int) -> Division:
    """K-means clusters for an embedding that was not trained divided; of many samples, some say where they lie."""
    count = min(count, len(vectors))
    if len(vectors) <= MAX_CLUSTERED:
        return Division(clusters=cluster(vectors, count, seed=seed).labels, count=count, origin="fitted")
    some = np.sort(np.random.default_rng(seed).choice(len(vectors), MAX_CLUSTERED, replace=False))
    centroids = cluster(vectors[some], count, seed=seed).centroids
    nearest = [squared_distances(vectors[rows], centroids).argmin(axis=1) for rows in row_chunks(len(vectors))]
    return Division(clusters=np.concatenate(nearest), count=count, origin="fitted")


def build_snapshot(
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
    indexes: Path | None = None,
    progress: Progress = lambda share, text: None,
) -> Snapshot:
    """Measure `embeddings` (N samples of all splits) and write the snapshot folder `path`.

    `masks` (K, D) say what each learner sees of the embedding. `meta` brings what only the caller knows: step, epoch,
    origin, data, baseline. `indexes` is a folder of this machine's own where an index that took building is kept.
    """
    vectors, labels = embeddings.vectors, embeddings.labels
    protocol = PROTOCOL + (DISJOINT if meta["origin"] == "trained" else "")
    parts = _measured_parts(vectors, labels, split, seed, protocol, indexes, progress)
    table = joined([(part.rows, part.table) for part in parts])
    hardness = np.empty(len(vectors), dtype=np.float32)
    for part in parts:
        hardness[part.rows] = part.hardness

    progress(0.4, "placing clusters")
    centroids, clusters, to_centroid = _clusters(vectors, division)
    correct = labels[table.indices[:, 0]] == labels
    report = _slices(vectors, labels, split, clusters, correct, division.count, masks, seed) if len(masks) > 1 else None

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
        "clusters": clusters,
        "cluster_distance": to_centroid,
        "neighbours": table.indices,
        "neighbour_distances": table.distances,
        "correct": correct,
        "hardness": hardness,
        "centroids": centroids,
        "masks": masks,
        **_hash_arrays(vectors, hashing),
    }
    return write(
        path,
        arrays,
        fields,
        {
            "class_names": list(embeddings.class_names),
            "learners": len(masks),
            "metrics": {part.name: part.metrics for part in parts},
            "collapse": collapse(vectors),
            "search": {"kind": table.kind, "recall": table.recall},
            "trustworthiness": _trustworthiness(xy, vectors, seed),
            "hasher_origin": hashing.origin,
            "clusters_origin": division.origin,
            "division": report,
            **meta,
        },
    )


def _hash_arrays(vectors: np.ndarray, hashing: Hashing) -> dict[str, np.ndarray]:
    """The hasher, the codes (N,) that it gives the vectors now, and those in the table."""
    codes = [codes_of(vectors[rows], hashing.mean, hashing.projection) for rows in row_chunks(len(vectors))]
    return {
        "codes": np.concatenate(codes),
        "stored_codes": hashing.stored,
        "hash_mean": hashing.mean,
        "hash_projection": hashing.projection,
    }


def _trustworthiness(xy: np.ndarray, vectors: np.ndarray, seed: int) -> float:
    """Of the whole map, from some of its samples."""
    return float(trustworthiness(xy, vectors, some_rows(len(xy), seed=seed)).mean(dtype=np.float64))


def collapse(vectors: np.ndarray) -> str | None:
    """A sentence about vectors (N, D), unit rows, that are hardly to be told apart; None of ordinary ones."""
    count = len(vectors)
    points = distinct(vectors, most=min(count // CROWDED, MAX_NAMED) + 1)
    if points == 1:
        return f"All {count:,} vectors are one and the same point: neighbours, figures and map say nothing."
    if points <= min(count // CROWDED, MAX_NAMED):
        return f"The {count:,} vectors are only {points:,} distinct points: neighbours among equal ones are arbitrary."
    if (width := spread(vectors)) < NARROW:
        return (
            f"The vectors are nearly one point: on average they lie {width:.1g} from their mean, where up to 1 is"
            " usual. The network may have collapsed."
        )
    return None


@dataclass(frozen=True)
class _Part:
    """A split measured by itself: its rows, the neighbours that are kept, as positions in it, and what they say."""

    name: str
    rows: np.ndarray
    table: NeighbourTable
    metrics: dict[str, Any]
    hardness: np.ndarray


def _measured_parts(
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    seed: int,
    protocol: str,
    indexes: Path | None,
    progress: Progress,
) -> list[_Part]:
    """Each split by itself, so that a small one takes no figure from a large one; neighbours as many as all have."""
    codes, sizes = np.unique(split, return_counts=True)
    check_measurable(labels, split)
    parts = []
    for number, code in enumerate(codes):
        progress(0.05 + 0.35 * number / len(codes), f"searching neighbours and measuring {SPLIT_NAMES[code]}")
        rows = np.flatnonzero(split == code)
        own, of = (vectors, labels) if len(codes) == 1 else (vectors[rows], labels[rows])
        table = search(own, of, indexes)
        found = _metrics(table, of)
        said = f"{protocol}; {ONE_CLASS}" if found["classes"] == 1 else protocol
        affordable = len(rows) * found["classes"] <= MAX_COMPARED
        found |= {"nmi": nmi(own, of, seed=seed) if affordable else None, "protocol": said}
        kept = table.nearest(min(NEIGHBOURS_KEPT, int(sizes.min()) - 1))  # metrics alone need more, which takes memory
        parts.append(_Part(SPLIT_NAMES[code], rows, kept, found, _hardness(table, of)))
        del own, table  # before the next one's take as much again
    return parts


def _metrics(table: NeighbourTable, labels: np.ndarray) -> dict[str, Any]:
    classes = len(np.unique(labels))
    if table.k < neighbours_needed(labels):
        return {**recall(table, labels), "r_precision": None, "map@r": None, "classes": classes}
    return {**retrieval_metrics(table, labels), "classes": classes}


def _hardness(table: NeighbourTable, labels: np.ndarray) -> np.ndarray:
    """d(nearest of the own class) - d(nearest of another), (N,); beyond the table its last distance stands in."""

    def first(wanted: np.ndarray, distances: np.ndarray) -> np.ndarray:
        at = wanted.argmax(axis=1)
        return np.where(wanted.any(axis=1), distances[np.arange(len(at)), at], distances[:, -1])

    hardness = np.empty(len(labels), dtype=np.float32)
    for rows in row_chunks(len(labels)):
        same = labels[table.indices[rows]] == labels[rows, None]  # (b, k)
        hardness[rows] = first(same, table.distances[rows]) - first(~same, table.distances[rows])
    return hardness


def _clusters(vectors: np.ndarray, division: Division) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centroids (K, D) on the present embedding, every sample's cluster (N,), and its distance to the centroid (N,)."""
    named = np.where(division.clusters >= 0, division.clusters, division.count)  # the last one: those without
    centroids = cluster_means(vectors, named, division.count + 1)[0][:-1]
    clusters, distance = np.empty(len(vectors), dtype=np.int64), np.empty(len(vectors), dtype=np.float32)
    for rows in row_chunks(len(vectors)):
        squared = squared_distances(vectors[rows], centroids)  # (b, K)
        clusters[rows] = np.where(named[rows] < division.count, named[rows], squared.argmin(axis=1))
        distance[rows] = np.sqrt(squared[np.arange(len(squared)), clusters[rows]])
    return centroids, clusters, distance


def _slices(
    vectors: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    clusters: np.ndarray,
    correct: np.ndarray,
    count: int,
    masks: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Recall@1 of every learner's slice, as a whole and by the cluster of the query, on the last split there is. Those
    alone in their class ask nothing, as in all metrics. Of many samples some ask, always among all: each slice takes a
    search of its own.
    """
    rows = np.flatnonzero(split == np.unique(split)[-1])
    able = np.flatnonzero(np.bincount(labels[rows])[labels[rows]] > 1)
    asked = able[some_rows(len(able), seed=seed, most=MAX_SLICED)]

    def correct_by(piece: np.ndarray) -> np.ndarray:
        nearest, _ = exact_others(piece, asked, 1)
        return labels[rows[nearest[:, 0]]] == labels[rows[asked]]

    found = [correct_by(piece) for piece in pieces(vectors[rows], masks)]
    of_query = clusters[rows[asked]]
    matrix = [
        [float(hits[of_query == number].mean()) if (of_query == number).any() else None for number in range(count)]
        for hits in found
    ]
    return {
        "slice_recall": [float(hits.mean()) for hits in found],
        "whole": float(correct[rows[asked]].mean()),
        "matrix": matrix,
        "correlation": [
            [None if np.isnan(value) else float(value) for value in row]
            for row in slice_correlation(vectors[rows], masks, seed=seed)
        ],
    }
