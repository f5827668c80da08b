"""Evaluation on held-out classes: at which samples it looks, what it measures in a training, and what is to beat."""

import time
from typing import Any

import numpy as np

from bon_core.base.files import whole_file
from bon_core.config import RunConfig
from bon_core.datasets import VectorSet
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.datasets.image_set import SPLIT_NAMES, ImageSet
from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours
from bon_core.runs.build_snapshot import compute_metrics, measure, search
from bon_core.runs.run import Run

Data = ImageSet | VectorSet

PREVIEW_SAMPLES = 2000
MAX_PREVIEWS = 48  # beyond, the one goes whose neighbours are nearest: a long run keeps no more than a short one
MAX_EVALUATED = 20_000  # held-out samples that an evaluation while training looks at
MIN_CLASSES = 100


def held_out(config: RunConfig) -> str:
    """The split that evaluation looks at: test classes, or held-out training classes while settings are tuned."""
    return "validation" if config.data.holdout else "test"


class Evaluator:
    """Evaluates the network on held-out classes and draws the small live map. Handed to the trainer as a callback.

    Attributes
    ----------
    embedding : seconds a sample, as last measured
    comparing : seconds of the search for a pair of samples and a dimension, as last measured
    """

    def __init__(self, run: Run, config: RunConfig, images: Data, *, device: str):
        self.run, self.device = run, device
        self.images = evaluated(config, images)
        count = min(PREVIEW_SAMPLES, len(self.images))
        self.embedding = self.comparing = 0.0
        self.shown = np.sort(np.random.default_rng(0).choice(len(self.images), count, replace=False))

    def __call__(self, network: Any, step: int) -> dict[str, Any]:
        table = self.preview(network, step)
        return {"split": SPLIT_NAMES[self.images.split[0]], **compute_metrics(table, self.images.labels)}

    def preview(self, network: Any, step: int) -> NeighbourTable:
        """Record how some samples lie at this step; returns the neighbours among all held-out ones.

        The map is a PCA turned to the one before it, so that points move and the picture does not spin. The neighbours
        are for the timeline, which is computed when the training is over.
        """
        from bon_core.maps.projection import NEIGHBOURS, pca

        labels = self.images.labels
        vectors, among_all = self.measured(network)
        correct = labels[among_all.indices[self.shown, 0]] == labels[self.shown]
        shown = self.images.take(self.shown)
        before = self.run.newest_preview()
        table = build_neighbours(vectors[self.shown], min(NEIGHBOURS, len(shown)) - 1)
        file = self.run.preview_path(step)
        file.parent.mkdir(exist_ok=True)
        with whole_file(file) as path:
            np.savez_compressed(
                path,
                step=step,
                ids=shown.ids,
                labels=shown.labels,
                xy=pca(vectors[self.shown], previous=None if before is None else before["xy"]),
                neighbours=table.indices.astype(np.int16),
                distances=table.distances.astype(np.float16),
                correct=correct,
            )
        steps = self.run.previews()
        if len(steps) > MAX_PREVIEWS:
            gaps = np.subtract(steps[2:], steps[:-2])  # that each would leave
            self.run.preview_path(steps[1 + int(gaps.argmin())]).unlink()
        return among_all

    def measured(self, network: Any) -> tuple[np.ndarray, NeighbourTable]:
        """The held-out samples as they lie now (E, D), and their neighbours; how long both took is noted."""
        from bon_core.networks.embedding import embed

        count, began = len(self.images), time.perf_counter()
        vectors = embed(network, self.images.samples, device=self.device)
        embedded = time.perf_counter()
        table = search(vectors, self.images.labels)
        self.embedding = (embedded - began) / count
        self.comparing = (time.perf_counter() - embedded) / (count**2 * vectors.shape[1])
        return vectors, table


def evaluated(config: RunConfig, data: Data) -> Data:
    """The held-out samples that evaluations look at: all of them, or of many a draw that is always the same."""
    part = data.part(held_out(config))
    rows = drawn_rows(part.labels, MAX_EVALUATED)
    return part if len(rows) == len(part) else part.take(rows)


def drawn_rows(labels: np.ndarray, most: int) -> np.ndarray:
    """About `most` rows, ascending, by a draw of whole classes, so that queries keep what they are to find; of large
    classes a draw of rows. All rows if there are no more than `most`.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    rng = np.random.default_rng(0)
    classes = rng.permutation(np.unique(labels))
    fit = int(np.searchsorted(np.bincount(labels)[classes].cumsum(), most, side="right"))
    if fit < MIN_CLASSES:
        return np.sort(rng.choice(len(labels), most, replace=False))
    return np.flatnonzero(np.isin(labels, classes[:fit]))


def untrained(data: Data) -> dict[str, Any]:
    """Recall of plain pixel distance, or of vectors as they came: what a network has to beat."""
    plain = data.samples[:].reshape(len(data), -1)
    if not isinstance(data, VectorSet):
        plain = plain.astype(np.float32) + 1e-3  # an empty image has no direction
    found = measure(EmbeddingSet.of(plain, data.labels, class_names=data.class_names))
    of = "frozen vectors" if isinstance(data, VectorSet) else "raw pixels"
    return {"of": of, **{name: found[name] for name in ("recall@1", "map@r", "queries")}}
