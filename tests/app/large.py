"""Runs of any size in the real format: classes as crowds on the map, everything beside the map drawn at random."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bon_core.config import DataConfig, RunConfig
from bon_core.datasets.image_set import TEST, ImageSet
from bon_core.division.slices import block_masks
from bon_core.runs import snapshot, store
from bon_core.runs.run import Run, Status

CLASSES, WIDTH, BITS, LEARNERS, NEIGHBOURS, STEP = 200, 16, 10, 4, 10, 40


def make_large_run(
    folder: Path,
    count: int,
    *,
    name: str,
    images: Path | None = None,
    islands: Sequence[tuple[int, tuple[float, float]]] = (),
    class_names: Sequence[str] | None = None,
) -> Run:
    """A finished run with one snapshot of `count` held-out samples; with images, in the file `images`, if it is named.

    Ids are neither sorted nor dense. Neighbours are other samples of the class, not the nearest ones. `islands` are
    (how many, where on the map) of samples that lie far off, the first ones; `class_names` are CLASSES names.
    """
    rng = np.random.default_rng(count)
    labels = rng.integers(0, CLASSES, count)
    ids = rng.permutation(4 * count)[:count].astype(np.int64)
    names = tuple(class_names or (f"kind {number}" for number in range(CLASSES)))
    if images is not None:
        _make_images(images, labels, ids, names)
    run = store.create(name, RunConfig(data=DataConfig(name=str(images or "vectors"))), folder=folder)
    run.write_status(Status(state="finished", step=STEP, steps=STEP, created=time.time()))
    arrays = _arrays(rng, labels, ids)
    start = 0
    for many, at in islands:
        arrays["xy"][start : start + many] = at + 0.3 * rng.standard_normal((many, 2))
        start += many
    snapshot.write(run.snapshot_path(STEP), arrays, {}, _meta(count, names, "brought" if images is None else "trained"))
    return run


def _make_images(path: Path, labels: np.ndarray, ids: np.ndarray, names: tuple[str, ...]) -> None:
    """Eight by eight pixels: a pattern a class."""
    patterns = np.random.default_rng(0).integers(0, 255, (CLASSES, 8, 8)).astype(np.uint8)
    ImageSet(
        name="large",
        images=patterns[labels],
        labels=labels,
        class_names=names,
        split=np.full(len(labels), TEST, np.uint8),
        ids=ids,
    ).save(path)


def _arrays(rng: np.random.Generator, labels: np.ndarray, ids: np.ndarray) -> dict[str, np.ndarray]:
    count = len(labels)
    centres = rng.standard_normal((CLASSES, 2)) * 10
    vectors = rng.standard_normal((count, WIDTH), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(labels, kind="stable")
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    neighbours = order[(place[:, None] + np.arange(1, NEIGHBOURS + 1)) % count]
    codes = rng.integers(0, 1 << BITS, count)
    return {
        "ids": ids,
        "labels": labels,
        "split": np.full(count, TEST),
        "vectors": vectors,
        "xy": centres[labels] + rng.standard_normal((count, 2)),
        "trust": rng.random(count),
        "codes": codes,
        "stored_codes": np.full(count, -1),
        "clusters": labels % LEARNERS,
        "cluster_distance": rng.random(count),
        "neighbours": neighbours,
        "neighbour_distances": np.sort(rng.random((count, NEIGHBOURS)), axis=1),
        "correct": rng.random(count) < 0.8,
        "hardness": rng.standard_normal(count) / 4,
        "hash_mean": np.zeros(WIDTH),
        "hash_projection": rng.standard_normal((WIDTH, BITS)),
        "centroids": rng.standard_normal((LEARNERS, WIDTH)),
        "masks": block_masks(WIDTH, LEARNERS),
    }


def _meta(count: int, names: tuple[str, ...], origin: str) -> dict:
    scores = {"recall@1": 0.8, "recall@2": 0.85, "recall@4": 0.9, "recall@8": 0.95, "map@r": 0.4, "r_precision": 0.5}
    whole = {**scores, "nmi": 0.7, "queries": count, "classes": CLASSES, "protocol": "all against all"}
    return {
        "step": STEP,
        "epoch": STEP / 10,
        "class_names": list(names),
        "learners": LEARNERS,
        "origin": origin,
        "data": "large",
        "hasher_origin": "mined",
        "clusters_origin": "learners",
        "metrics": {"test": whole},
        "baseline": None,
        "trustworthiness": 0.9,
        "division": None,
    }
