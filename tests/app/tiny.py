"""A small run in the real format: 8 classes, half of them held out, clustered random vectors."""

import json
import time
from pathlib import Path

import numpy as np

from bon_core.config import DataConfig, RunConfig
from bon_core.datasets.image_set import TEST, TRAIN, ImageSet
from bon_core.division.slices import block_masks
from bon_core.runs import snapshot, store
from bon_core.runs.run import Run, Status

CLASSES, EACH, WIDTH, BITS, LEARNERS = 8, 12, 16, 4, 2
SAMPLES = CLASSES * EACH


def make_images(folder: Path) -> ImageSet:
    """An .npz image set; ids are neither sorted nor dense, so that mixing them up with positions shows."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(CLASSES), EACH)
    images = ImageSet(
        name="tiny",
        images=rng.integers(0, 255, (SAMPLES, 16, 16)).astype(np.uint8),
        labels=labels,
        class_names=tuple("ABCDEFGH"),
        split=np.where(labels < CLASSES // 2, TRAIN, TEST).astype(np.uint8),
        ids=rng.permutation(10 * SAMPLES)[:SAMPLES].astype(np.int64),
        fields={"style": np.array(["upright", "italic"])[np.arange(SAMPLES) % 2]},
    )
    images.save(folder / "tiny.npz")
    return images


def snapshot_arrays(images: ImageSet, seed: int = 0) -> dict[str, np.ndarray]:
    """Every array of a snapshot, true to its documentation, of clustered random vectors."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((CLASSES, WIDTH))[images.labels] + 1.6 * rng.standard_normal((SAMPLES, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.sqrt(np.maximum(0, 2 - 2 * vectors @ vectors.T))
    distance[images.split[:, None] != images.split[None]] = 9
    np.fill_diagonal(distance, 9.5)
    neighbours = np.argsort(distance, axis=1)[:, :10]
    same = images.labels[:, None] == images.labels[None]
    own = np.where(same, distance, 9.5).min(axis=1)
    other = np.where(same, 9.5, distance).min(axis=1)
    projection = rng.standard_normal((WIDTH, BITS))
    mean = vectors.mean(axis=0)
    codes = ((vectors - mean) @ projection > 0) @ (1 << np.arange(BITS))
    return {
        "ids": images.ids,
        "labels": images.labels,
        "split": images.split,
        "vectors": vectors,
        "xy": vectors[:, :2] * 10,
        "trust": rng.random(SAMPLES),
        "codes": codes,
        "stored_codes": np.where(images.split == TRAIN, codes, -1),
        "clusters": images.labels % LEARNERS,
        "cluster_distance": rng.random(SAMPLES),
        "neighbours": neighbours,
        "neighbour_distances": np.take_along_axis(distance, neighbours, axis=1),
        "correct": images.labels[neighbours[:, 0]] == images.labels,
        "hardness": own - other,
        "hash_mean": mean,
        "hash_projection": projection,
        "centroids": rng.standard_normal((LEARNERS, WIDTH)),
        "masks": block_masks(WIDTH, LEARNERS),
    }


def snapshot_meta(images: ImageSet, step: int) -> dict:
    """The meta of a snapshot of a trained, divided run that mined with BoN."""
    metrics = {"recall@1": 0.8, "recall@2": 0.85, "recall@4": 0.9, "recall@8": 0.95, "map@r": 0.4, "r_precision": 0.5}
    whole = {**metrics, "nmi": 0.7, "queries": SAMPLES // 2, "classes": CLASSES // 2, "protocol": "all against all"}
    return {
        "step": step,
        "epoch": step / 10,
        "class_names": list(images.class_names),
        "learners": LEARNERS,
        "origin": "trained",
        "data": images.name,
        "hasher_origin": "mined",
        "clusters_origin": "learners",
        "metrics": {"test": whole, "train": whole},
        "baseline": {"recall@1": 0.3},
        "trustworthiness": 0.9,
        "division": {
            "slice_recall": [0.6, 0.7],
            "whole": 0.8,
            "matrix": [[0.7, 0.5], [0.4, 0.8]],
            "correlation": [[1.0, 0.2], [0.2, 1.0]],
        },
    }


def make_run(
    folder: Path, images: ImageSet, path: Path, *, name: str = "tiny", steps: tuple[int, ...] = (20, 40)
) -> Run:
    """A finished run with events and snapshots."""
    run = store.create(name, RunConfig(data=DataConfig(name=str(path))), folder=folder)
    run.write_status(Status(state="finished", step=40, steps=40, created=time.time()))
    for step in steps:
        snapshot.write(
            run.snapshot_path(step), snapshot_arrays(images, step), images.fields, snapshot_meta(images, step)
        )
    with (run.path / "events.jsonl").open("w", encoding="utf-8") as events:
        for step in range(0, 41, 10):
            events.write(json.dumps(step_event(step)) + "\n")
            events.write(json.dumps(evaluation_event(step)) + "\n")
    return run


def step_event(step: int) -> dict:
    kinds = {"phase": "joint" if step < 20 else "split", "learner": None, "cluster": None, "staleness": 3.0}
    shares = {"mate_share": 0.5, "entropy": 3.6, "entropy_share": 0.9, "fallback_rate": 0.1, "empty_share": 0.0}
    numbers = {"loss": 0.2, "active": 0.5, "d_ap": 0.4, "d_an": 0.7, "mining_ms": 2.0, "step_ms": 100.0}
    when = {"kind": "step", "step": step, "epoch": step / 10, "seconds": step / 10, "images_per_second": 1280.0}
    return {**when, **kinds, **numbers, **shares}


def evaluation_event(step: int) -> dict:
    when = {"kind": "evaluation", "step": step, "epoch": step / 10, "seconds": step / 10, "split": "test"}
    scores = {"recall@1": 0.5 + step / 200, "recall@2": 0.8, "recall@4": 0.9, "recall@8": 0.95, "map@r": 0.3}
    return {**when, **scores, "r_precision": 0.4, "queries": SAMPLES // 2, "classes": CLASSES // 2}
