"""What the commands of cli.py do with a run once it is there: evaluate, embed, mine, export; and vectors from a file.

Each returns a dict for people and for --json.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bon_core import runs
from bon_core.config import InputError, RunConfig, check
from bon_core.datasets import load_data, load_images, load_vectors
from bon_core.datasets.image_set import SPLIT_NAMES, ImageSet
from bon_core.datasets.vector_set import VectorSet
from bon_core.embeddings import EmbeddingSet
from bon_core.evaluation import held_out
from bon_core.experiment import CLUSTERS_TO_LOOK_AT, WEIGHTS
from bon_core.files import check_regular, opened, path_of, reason_of, whole_file
from bon_core.intake import tell
from bon_core.retrieval.distances import spread
from bon_core.retrieval.negatives import Hardness, hardness_of, nearest_mates, nearest_positives
from bon_core.runs import Run, Status
from bon_core.slices import block_masks
from bon_core.snapshot import Snapshot
from bon_core.survey import ONE_CLASS, Progress, fitted_division, fitted_hashing, measure, take

KNOWN = {  # what the views and exports know of each sample
    *("id", "class", "split", "x", "y", "trust", "bucket", "bit", "cluster", "correct", "hardness", "nearest"),
    "nearest_distance",
}
TRAINED_RUN = "it was made of embeddings, so choose a run that was trained"
COPY = 1e-3  # of the vectors' spread: samples no farther apart are copies


def evaluate(name: str, *, data: str | None, device: str) -> dict[str, Any]:
    """Retrieval metrics of a trained run on its held-out classes, or on the test part of another data set.

    A run of embeddings has no network: its figures are those measured when its snapshot was taken.
    """
    run = runs.open_run(name)
    if _brought(run):
        check(
            data is None,
            f"Run {name} was made of embeddings and has no network to embed {data} with; leave --data out, or choose a"
            " run that was trained.",
        )
        return _as_measured(run)
    images = _images_for(run, data)
    part = images.part(held_out(run.config) if data is None else "test")
    found = measure(_embedding_set(run, part, device))
    tell(images.told)
    return {"run": name, "data": images.name, "split": SPLIT_NAMES[part.split[0]], **found}


def _brought(run: Run) -> bool:
    """Whether the run was made of embeddings: nothing was trained."""
    return not (run.path / WEIGHTS).exists() and bool(run.snapshots()) and run.snapshot().meta["origin"] == "embeddings"


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


def embed(name: str, *, data: str | None, out: str, device: str) -> dict[str, Any]:
    """Embed a whole data set with a trained run and write vectors, labels, ids and splits to `out`."""
    path = writable(out, (".npz", ".parquet"))
    run = runs.open_run(name)
    _check_weights(run)  # before any data is read
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
    tell(images.told)
    return {
        "run": name,
        "data": images.name,
        "samples": len(embeddings),
        "width": embeddings.vectors.shape[1],
        "file": out,
    }


def snapshot_embeddings(name: str, file: str) -> dict[str, Any]:
    """Make a run out of embeddings brought in a file: to explore, nothing is trained."""
    path = runs.new_path(name)  # refuse a bad name before the file is read
    embeddings, split = load_vectors(file)
    shot = run_of_embeddings(path, embeddings, split, data=Path(file).name)
    tell(embeddings.intake)
    return {
        "run": name,
        "samples": len(embeddings),
        "metrics": shot.metrics,
        "trustworthiness": shot.meta["trustworthiness"],
        **({"collapse": shot.collapse} if shot.collapse else {}),
    }


def run_of_embeddings(
    path: Path,
    embeddings: EmbeddingSet,
    split: np.ndarray,
    *,
    data: str,
    images: ImageSet | None = None,
    digest: str | None = None,
    progress: Progress = lambda share, text: None,
) -> Snapshot:
    """Make the run directory `path` of embeddings as they are; it is there when all is done, or not at all.

    data : where they come from, for the views; images : with the same ids; digest : of the input, to know it again.
    A field named as something that the views know of every sample is called "given NAME".
    """
    vectors = embeddings.vectors
    fields = {f"given {name}" if name in KNOWN else name: column for name, column in embeddings.fields.items()}
    with runs.made(path, RunConfig()) as run:
        if images is not None:
            images.save(run.path / runs.IMAGES)
        take(
            run.snapshot_path(0),
            embeddings,
            split,
            fields=fields,
            hashing=fitted_hashing(vectors),
            division=fitted_division(vectors, CLUSTERS_TO_LOOK_AT, seed=0),
            masks=block_masks(vectors.shape[1], 1),
            meta={
                "step": 0,
                "epoch": 0.0,
                "origin": "embeddings",
                "data": data,
                "baseline": None,
                "digest": digest,
                "intake": embeddings.intake.sentence() if embeddings.intake else "",
            },
            indexes=runs.indexes_folder(),
            progress=progress,
        )
        run.log("finished", data=data, samples=len(embeddings))
        run.write_status(Status(state="finished", created=time.time()))
    return Run(path).snapshot()


def mine(name: str, *, split: str, count: int, seed: int, out: str | None) -> dict[str, Any]:
    """Negatives of every sample of a split out of its hash bucket, nearest first, beside the exact hardest.

    Returns shares, distances and ranks; with `out`, every pair is written as a row, see `mine --help`.
    """
    check(1 <= count <= 100, f"{count} negatives an anchor cannot be mined; give 1 to 100.")
    path = writable(out, (".csv", ".parquet")) if out else None
    shot = runs.open_run(name).snapshot()
    rows = np.flatnonzero(np.asarray(shot.split) == SPLIT_NAMES.index(split))
    others = " or ".join(f"--split {SPLIT_NAMES[code]}" for code in np.unique(shot.split))
    check(len(rows) > 0, f"Run {name} has no {split} samples; give {others}.")
    check(len(np.unique(shot.labels[rows])) > 1, f"The {split} samples of {name} are of one class; negatives need two.")
    vectors, labels = shot.embedding().vectors[rows], np.asarray(shot.labels)[rows].astype(np.int64)
    picked = nearest_mates(vectors, labels, np.asarray(shot.codes)[rows], count, seed=seed)
    found = picked >= 0
    served = found.any(axis=1)
    check(served.any(), f"No {split} sample of {name} shares its bucket with another class; train it further.")
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
    run = runs.open_run(name)
    if what == "model":
        path = writable(out, (".safetensors",))
        source = run.path / WEIGHTS
        remedy = TRAINED_RUN if _brought(run) else "train it to the end first"
        check(source.exists(), f"Run {name} has no weights in {WEIGHTS}; {remedy}.")
        with whole_file(path) as temporary, opened(source) as weights, temporary.open("wb") as file:
            shutil.copyfileobj(weights, file)
        return {"run": name, "bytes": path.stat().st_size, "file": out}
    path = writable(out, (".csv", ".parquet"))
    if what == "mined":
        from bon_core.training.audit import mined_pairs

        columns = mined_pairs(run.path)
        check(len(columns["step"]) > 0, f"Run {name} recorded no mined pairs; train one with --audit-every 1.")
    else:
        columns = points(run.snapshot())
    write_table(path, columns)
    return {"run": name, "rows": len(next(iter(columns.values()))), "file": out}


def points(shot: Snapshot) -> dict[str, np.ndarray]:
    """One row a sample of a snapshot: what the explorer knows of it, vectors apart."""
    plain = {
        "id": shot.ids,
        "class": np.array(shot.class_names)[shot.labels],
        "split": np.array(SPLIT_NAMES)[shot.split],
        "x": shot.xy[:, 0],
        "y": shot.xy[:, 1],
        "trust": shot.trust.astype(np.float32),
        "bucket": shot.codes,
        "cluster": shot.clusters,
        "correct": shot.correct,
        "hardness": shot.hardness.astype(np.float32),
        "nearest": shot.ids[shot.neighbours[:, 0]],
        "nearest_distance": shot.neighbour_distances[:, 0].astype(np.float32),
    }
    texts = {field: np.array(names, dtype=object)[codes] for field, (codes, names) in shot.fields.items()}
    return plain | texts | shot.numbers


def embed_image(run: Run, image: Any) -> np.ndarray:
    """Embed one picture (PIL.Image) as the run's images were: (D,) float32, unit.

    Raises
    ------
    InputError
        If the run has no trained weights.
    """
    from bon_core.datasets.folder import prepare
    from bon_core.networks import embed as embed_images

    images = load_images(run.config.data)
    network = load_network(run, images.channels)
    pixels = prepare(image, size=images.size, grey=images.channels == 1)
    return embed_images(network, pixels[None].copy(), device="cpu")[0]


def _check_weights(run: Run) -> None:
    if not (run.path / WEIGHTS).exists():
        remedy = TRAINED_RUN if _brought(run) else "train it to the end, or choose another run"
        raise InputError(f"Run {run.name} has no trained weights ({WEIGHTS}); {remedy}.")


def load_network(run: Run, channels: int) -> Any:
    """The trained network of a run, on the CPU, in evaluation mode.

    Raises
    ------
    InputError
        If there are no weights yet or they do not fit the config.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from bon_core.networks import build_network

    _check_weights(run)
    path = run.path / WEIGHTS
    config = run.config
    network = build_network(config.network, config.division, channels=channels, seed=0)
    try:
        check_regular(path)
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError, MemoryError) as error:
        raise InputError(
            f"The weights of run {run.name} do not fit its config ({reason_of(error)}); restore the run's files."
        ) from error
    return network.eval()


def _embedding_set(run: Run, images: ImageSet | VectorSet, device: str) -> EmbeddingSet:
    from bon_core.networks import embed as embed_images
    from bon_core.training.trainer import device_for

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


def writable(file: str, kinds: tuple[str, ...]) -> Path:
    """The path of a file to write, if its ending is one of `kinds` and its folder is there; InputError if not."""
    path = path_of(file)
    check(
        path.suffix in kinds,
        f"The file {file} ends in {path.suffix!r}, but must end in {' or '.join(kinds)}; rename it.",
    )
    check(path.parent.is_dir(), f"The folder {path.parent} does not exist; make it first.")
    return path


def write_table(path: Path, columns: dict[str, np.ndarray], ready: dict[str, Any] | None = None) -> None:
    """Write columns (N,) or (N, D), then those that are `ready` as pyarrow arrays, to .csv or .parquet."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    rows_of = {name: lists(values) if values.ndim == 2 else values for name, values in columns.items()}
    table = pa.table(rows_of | (ready or {}))
    with whole_file(path) as temporary:
        if path.suffix == ".csv":
            pyarrow.csv.write_csv(table, temporary)
        else:
            pyarrow.parquet.write_table(table, temporary, compression="zstd")


def lists(values: np.ndarray) -> Any:
    """(N, D) as a pyarrow column of N lists of D; lists of a fixed size have no offsets, which N x D could overflow."""
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
