"""Does the list of suspicious labels find wrong ones? Labels of glyphs are flipped on purpose, a network is trained.

    python -m benchmarks.suspicious_labels

Five in a hundred training labels are replaced: by any other class, or by one of the three that look most alike (mean
images). BoN trains on them, undivided, for ten epochs, some minutes on a CPU core. Then the ranking of
bon_core/retrieval/suspicion.py stands against plain label disagreement of the same neighbours, and against each of its
two parts alone. The design was chosen on seed 0, which is not among the reported ones.
Runs go to --work and are kept, so that a second call only measures. Writes benchmarks/results/suspicious_labels.md.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import machine, write_report
from bon_core.config import DataConfig, DivisionConfig, RunConfig, TrainingConfig
from bon_core.datasets import load_images
from bon_core.datasets.image_set import TEST, TRAIN, ImageSet
from bon_core.evaluation.suspicion import suspicion
from bon_core.runs.audit import mined_pairs
from bon_core.runs.run import Run

SHARE = 0.05
KINDS = {"random": "any other class", "alike": "one of the three most alike"}
TEST_CLASSES = 20  # kept to end the training with; the rest would only cost time
TOP = (50, 200)


def flipped(kind: str, seed: int) -> ImageSet:
    """Glyphs with wrong training labels; the field "true class" holds the right ones."""
    images = load_images(DataConfig(name="glyphs"))
    some = np.unique(images.labels[images.split == TEST])[:TEST_CLASSES]
    images = images.take(np.flatnonzero((images.split == TRAIN) | np.isin(images.labels, some)))
    rng = np.random.default_rng(seed)
    train = np.flatnonzero(images.split == TRAIN)
    rows = rng.choice(train, round(SHARE * len(train)), replace=False)
    labels, true = images.labels.copy(), np.array(images.class_names)[images.labels]
    candidates = _candidates(images.take(train), kind)
    for row in rows:
        labels[row] = rng.choice(candidates[labels[row]])
    return replace(images, name=f"flipped-{kind}", labels=labels, fields={"true class": true})


def _candidates(train: ImageSet, kind: str) -> dict[int, np.ndarray]:
    """The classes that each class may be flipped to."""
    classes = np.unique(train.labels)
    if kind == "random":
        return {label: classes[classes != label] for label in classes}
    pixels = train.images.reshape(len(train), -1).astype(np.float64)
    means = np.stack([pixels[train.labels == label].mean(axis=0) for label in classes])
    order = np.argsort(np.square(means[:, None] - means[None]).sum(axis=2), axis=1)
    return {
        label: classes[near[near != place][:3]] for place, (label, near) in enumerate(zip(classes, order, strict=True))
    }


def trained(kind: str, seed: int, epochs: float, work: Path) -> Run:
    """The run on flipped labels, trained unless it is there."""
    from bon_core.training import experiment

    run = Run(work / f"{kind}-{seed}")
    if not run.snapshots():
        shutil.rmtree(run.path, ignore_errors=True)  # what a stopped training left
        data = work / f".{kind}-{seed}.npz"
        flipped(kind, seed).save(data)
        training = TrainingConfig(epochs=epochs, seed=seed, evaluate_every=1e6, checkpoint_every=1e6)
        config = RunConfig(data=DataConfig(name=str(data)), division=DivisionConfig(learners=1), training=training)
        os.environ["BON_RUNS"] = str(work)
        experiment.train(run.name, config)
    return run


def measured(run: Run) -> Iterator[dict[str, object]]:
    """Precision among the first so many, and average precision, of each ranking."""
    shot = run.snapshot()
    rows = np.flatnonzero(np.asarray(shot.split) == TRAIN)
    codes, names = shot.fields["true class"]
    labels = np.asarray(shot.labels)[rows]
    true = np.array(names)[codes][rows]
    wrong = true != np.array(shot.class_names)[labels]
    neighbours = np.searchsorted(rows, np.asarray(shot.neighbours)[rows])
    distances = np.asarray(shot.neighbour_distances)[rows]
    mined = mined_pairs(run.path)
    where = {name: np.searchsorted(rows, shot.positions(mined[name])) for name in ("anchor", "negative")}
    found = suspicion(labels, neighbours, distances, {**mined, **where})
    rankings = {
        "vote + excess (the list)": found.score,
        "kNN disagreement (plain)": (labels[neighbours] != labels[:, None]).mean(axis=1),
        "vote alone": found.vote,
        "excess alone": found.excess,
    }
    for name, score in rankings.items():
        hits = wrong[np.argsort(-score, kind="stable")]
        so_far = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        top = {f"precision at {number}": so_far[number - 1] for number in (*TOP, int(wrong.sum()))}
        yield {"ranking": name, **top, "average precision": so_far[hits].mean()}


def _markdown(table: pd.DataFrame) -> Iterator[str]:
    """One line a ranking."""
    columns = table.columns.drop("ranking")
    yield f"| ranking | {' | '.join(columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    for name, rows in table.groupby("ranking", sort=False):
        cells = [f"{rows[key].mean():.3f} ({rows[key].min():.2f} to {rows[key].max():.2f})" for key in columns]
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("models/runs/suspicious-labels"))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=float, default=10)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    lines = [
        machine(),
        "",
        f"Mean of {len(given.seeds)} seeds, and in brackets the lowest and the highest. Base rate: {SHARE:.2f} of the"
        " training labels were flipped, which is what a random order would find.",
        "",
    ]
    for kind in given.kinds:
        runs = [trained(kind, seed, given.epochs, given.work) for seed in given.seeds]
        table = pd.DataFrame([row for run in runs for row in measured(run)])
        lines += [f"## Flipped to {KINDS[kind]}", "", *_markdown(table), ""]
    write_report("suspicious_labels", "Suspicious labels: flipped ones found", lines)


if __name__ == "__main__":
    main()
