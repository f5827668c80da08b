"""Tables for other programs: what a snapshot knows of its samples, as columns of a .csv or .parquet file."""

from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.files import path_of, whole_file
from bon_core.config import check
from bon_core.datasets.image_set import SPLIT_NAMES
from bon_core.runs.snapshot import Snapshot


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
