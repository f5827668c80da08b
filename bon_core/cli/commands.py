"""What the commands of cli.py do with a run once it is there: evaluate, embed, mine, export; and vectors from a file.

Each returns a dict for people and for --json.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.files import opened, whole_file
from bon_core.base.intake import print_report
from bon_core.config import Device, check
from bon_core.datasets import load_data, load_vectors
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.datasets.image_set import SPLIT_NAMES, ImageSet
from bon_core.datasets.vector_set import VectorSet
from bon_core.evaluation.distances import spread
from bon_core.evaluation.negatives import Hardness, hardness_of, nearest_mates, nearest_positives
from bon_core.exports.tables import points, writable, write_table
from bon_core.runs import store
from bon_core.runs.build_snapshot import ONE_CLASS, measure
from bon_core.runs.from_embeddings import run_of_embeddings
from bon_core.runs.run import WEIGHTS, Run
from bon_core.runs.snapshot import Snapshot
from bon_core.runs.weights import TRAINED_RUN, check_weights, load_network, was_brought
from bon_core.training.evaluator import held_out

COPY = 1e-3  # of the vectors' spread: samples no farther apart are copies


def evaluate(name: str, *, data: str | None, device: Device) -> dict[str, Any]:
    """Retrieval metrics of a trained run on its held-out classes, or on the test part of another data set.

    A run of embeddings has no network: its figures are those measured when its snapshot was taken.
    """
    run = store.open_run(name)
    if was_brought(run):
        check(
            data is None,
            f"Run {name} was made of embeddings and has no network to embed {data} with; leave --data out, or choose a"
            " run that was trained.",
        )
        return _as_measured(run)
    images = _images_for(run, data)
    part = images.part(held_out(run.config) if data is None else "test")
    found = measure(_embedding_set(run, part, device))
    print_report(images.report)
    return {"run": name, "data": images.name, "split": SPLIT_NAMES[part.split[0]], **found}


def _as_measured(run: Run) -> dict[str, Any]:
    """What `evaluate` gives, out of the snapshot: of the test part, or of the last part there is."""
    shot = run.snapshot()
    split = "test" if "test" in shot.metrics else list(shot.metrics)[-1]
    found = {name: value for name, value in shot.metrics[split].items() if name not in ("nmi", "protocol")}
    search = shot.meta.get("search") or {}
    return {
        "run": run.name,
        "data": shot.meta["data"],
        "split": split,
        **found,
        "search": search.get("kind"),
        "search_recall": search.get("recall"),
        **({"note": ONE_CLASS} if found.get("classes") == 1 else {}),
    }


def embed(name: str, *, data: str | None, out: str, device: Device) -> dict[str, Any]:
    """Embed a whole data set with a trained run and write vectors, labels, ids and splits to `out`."""
    path = writable(out, (".npz", ".parquet"))
    run = store.open_run(name)
    check_weights(run)  # before any data is read
    images = _images_for(run, data)
    embeddings = _embedding_set(run, images, device)
    names = np.array(embeddings.class_names)
    columns = {
        "ids": embeddings.ids,
        "labels": names[embeddings.labels],
        "split": np.array(SPLIT_NAMES)[images.split],
    }
    if path.suffix == ".npz":
        with whole_file(path) as temporary:
            np.savez_compressed(temporary, vectors=embeddings.vectors, **columns)
    else:
        write_table(path, columns | {"vector": embeddings.vectors})
    print_report(images.report)
    return {
        "run": name,
        "data": images.name,
        "samples": len(embeddings),
        "width": embeddings.vectors.shape[1],
        "file": out,
    }


def snapshot_embeddings(name: str, file: str) -> dict[str, Any]:
    """Make a run out of embeddings brought in a file: to explore, nothing is trained."""
    path = store.new_path(name)  # refuse a bad name before the file is read
    embeddings, split = load_vectors(file)
    shot = run_of_embeddings(path, embeddings, split, data=Path(file).name)
    print_report(embeddings.report)
    return {
        "run": name,
        "samples": len(embeddings),
        "metrics": shot.metrics,
        "trustworthiness": shot.meta["trustworthiness"],
        **({"collapse": shot.collapse} if shot.collapse else {}),
    }


def mine(name: str, *, split: str, count: int, seed: int, out: str | None) -> dict[str, Any]:
    """Negatives of every sample of a split out of its hash bucket, nearest first, beside the exact hardest.

    Returns shares, distances and ranks; with `out`, every pair is written as a row, see `mine --help`.
    """
    check(1 <= count <= 100, f"{count} negatives an anchor cannot be mined; give 1 to 100.")
    path = writable(out, (".csv", ".parquet")) if out else None
    shot = store.open_run(name).snapshot()
    rows = np.flatnonzero(np.asarray(shot.split) == SPLIT_NAMES.index(split))
    there = " or ".join(f"--split {SPLIT_NAMES[code]}" for code in np.unique(shot.split))
    check(len(rows) > 0, f"Run {name} has no {split} samples; give {there}.")
    check(len(np.unique(shot.labels[rows])) > 1, f"The {split} samples of {name} are of one class; negatives need two.")
    vectors, labels = shot.embedding().vectors[rows], np.asarray(shot.labels)[rows].astype(np.int64)
    picked = nearest_mates(vectors, labels, np.asarray(shot.codes)[rows], count, seed=seed)
    found = picked >= 0
    served = found.any(axis=1)
    check(bool(served.any()), f"No {split} sample of {name} shares its bucket with another class; train it further.")
    hard = hardness_of(vectors, labels, np.where(found, picked, 0))
    copied = COPY * spread(vectors)
    if path is not None:
        positive, to_positive = nearest_positives(vectors, labels)
        write_table(path, _mined_rows(shot, rows, picked, hard, positive, to_positive, copied))
    best = hard.ranks[served, 0]
    others = len(rows) - np.bincount(labels)[labels]
    return {
        "run": name,
        "split": split,
        "anchors": len(rows),
        "anchors_with_a_bucket_mate": float(served.mean()),
        "mean_distance_mined": float(hard.distances[found].mean()),
        "mean_distance_best_of_mined": float(hard.distances[served, 0].mean()),
        "mean_distance_exact_hardest": float(hard.hardest_distance.mean()),
        "median_rank_mined": float(np.median(hard.ranks[found])),
        "median_rank_best_of_mined": float(np.median(best)),
        "ranks": f"1 is the hardest of {int(np.median(others)):,} negatives; chosen are the nearest mates in a bucket,"
        f" which for {np.mean(best == 1):.0%} of the anchors holds the very hardest".replace("%", " %"),
        "copies_under_another_label": int((hard.distances[found] <= copied).sum()),
        "file": out,
    }


def _mined_rows(
    shot: Snapshot,
    rows: np.ndarray,
    picked: np.ndarray,
    hard: Hardness,
    positive: np.ndarray,
    to_positive: np.ndarray,
    copied: float,
) -> dict[str, np.ndarray]:
    """The columns of all pairs, as `mine --help` explains them.

    `picked` (n, k) are positions among the `rows` (n,) of the snapshot, -1 for none; `copied` is the distance up to
    which two samples count as one.
    """
    ids, names = np.asarray(shot.ids)[rows], np.array(shot.class_names)[np.asarray(shot.labels)[rows]]
    codes, paths = shot.fields.get("file", (None, []))
    files = None if codes is None else np.array(paths)[np.asarray(codes)[rows]]
    anchor, column = np.nonzero(picked >= 0)
    negative, nearest = picked[anchor, column], positive[anchor]
    alone = nearest < 0  # of a class without another sample
    distance = hard.distances[anchor, column]
    columns = {
        "anchor": ids[anchor],
        "anchor_class": names[anchor],
        "positive": np.where(alone, -1, ids[nearest]),
        "positive_distance": to_positive[anchor],
        "negative": ids[negative],
        "negative_class": names[negative],
        "distance": distance,
        "rank": hard.ranks[anchor, column],
        "copy": distance <= copied,
        "hardest": ids[hard.hardest[anchor]],
        "hardest_class": names[hard.hardest[anchor]],
        "hardest_distance": hard.hardest_distance[anchor],
        "hardest_copy": hard.hardest_distance[anchor] <= copied,
    }
    if files is not None:
        whom = {"anchor": anchor, "positive": nearest, "negative": negative, "hardest": hard.hardest[anchor]}
        columns |= {f"{role}_file": files[of] for role, of in whom.items()}
        columns["positive_file"] = np.where(alone, "", columns["positive_file"])
    return columns


def export(name: str, *, what: str, out: str) -> dict[str, Any]:
    """Write the points of the newest snapshot, the mined pairs of the audit log, or the weights to a file."""
    run = store.open_run(name)
    if what == "model":
        path = writable(out, (".safetensors",))
        source = run.path / WEIGHTS
        remedy = TRAINED_RUN if was_brought(run) else "train it to the end first"
        check(source.exists(), f"Run {name} has no weights in {WEIGHTS}; {remedy}.")
        with whole_file(path) as temporary, opened(source) as weights, temporary.open("wb") as file:
            shutil.copyfileobj(weights, file)
        return {"run": name, "bytes": path.stat().st_size, "file": out}
    path = writable(out, (".csv", ".parquet"))
    if what == "mined":
        from bon_core.runs.audit import mined_pairs

        columns = mined_pairs(run.path)
        check(len(columns["step"]) > 0, f"Run {name} recorded no mined pairs; train one with --audit-every 1.")
    else:
        columns = points(run.snapshot())
    write_table(path, columns)
    return {"run": name, "rows": len(next(iter(columns.values()))), "file": out}


def _embedding_set(run: Run, images: ImageSet | VectorSet, device: Device) -> EmbeddingSet:
    from bon_core.networks.embedding import embed as embed_images
    from bon_core.training.device import device_for

    network = load_network(run, images.channels).to(device_for(device))
    vectors = embed_images(network, images.samples, device=device_for(device))
    return EmbeddingSet.of(vectors, images.labels, ids=images.ids, class_names=images.class_names)


def _images_for(run: Run, data: str | None) -> ImageSet | VectorSet:
    """The run's own data set, or another one: images brought to the size its network was trained on, or vectors."""
    own = run.config.data
    trained_on = load_data(own)
    if data is None:
        return trained_on
    size = trained_on.size if isinstance(trained_on, ImageSet) else None
    other = load_data(replace(own, name=data, path=None, image_size=size, holdout=0.0, class_level=None))
    check(
        type(other) is type(trained_on) and other.channels == trained_on.channels,
        f"{data} has {other.UNIT} of {other.channels} channel(s) or values, but {run.name} was trained on"
        f" {trained_on.UNIT} of {trained_on.channels}; convert them.",
    )
    return other
