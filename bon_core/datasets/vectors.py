"""Ready embeddings with labels from .npz, .npy or .parquet. Legend: N embeddings, D width."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bon_core.config import InputError, check
from bon_core.datasets.image_set import SPLIT_NAMES, TEST, read_npz
from bon_core.embeddings import EmbeddingSet

if TYPE_CHECKING:
    import pyarrow as pa

# What people call these columns, in any case; the first that is there is taken.
WANTED = {
    "vectors": ("vectors", "embeddings", "vector", "embedding", "features", "x"),
    "labels": ("labels", "label", "targets", "target", "y", "classes", "class"),
    "ids": ("ids", "id"),
    "split": ("split", "splits", "part"),
    "class_names": ("class_names",),
}


def load_vectors(path: str | Path) -> tuple[EmbeddingSet, np.ndarray]:
    """Embeddings, normalised, and the part that each belongs to.

    - .npz: arrays of vectors (N, D) and labels (N,), numbers or text, under one of the names above; optional ids (N,),
      class_names (P,) for labels 0..P-1, and split (N,): 0, 1, 2 or train, test, validation
    - .npy: vectors (N, D), with the labels in NAME_labels.npy or NAME.labels.npy beside it
    - .parquet: a column of lists, or one float column a dimension, and a label column; optional id and split

    Returns
    -------
    EmbeddingSet, (N,) uint8 of TRAIN, TEST, VALIDATION; without a split all are TEST

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind or holds pickled objects; if vectors or labels are missing, of
        the wrong type or shape, or disagree in number; if a vector is not finite or all zeros.
    """
    path = Path(path).expanduser()
    readers = {".npz": _from_npz, ".npy": _from_npy, ".parquet": _from_parquet}
    check(path.is_file(), f"There is no file of embeddings {path}; check the path.")
    check(
        path.suffix.lower() in readers,
        f"{path} is not a file of embeddings; save them as {', '.join(readers)}.",
    )
    columns = readers[path.suffix.lower()](path)
    vectors, labels = columns["vectors"], columns["labels"]
    for name in ("labels", "ids", "split"):
        column = columns.get(name)
        check(
            column is None or column.shape == vectors.shape[:1],
            f"{path} holds vectors of shape {vectors.shape} but {name} of shape {np.shape(column)}; save one row a"
            " sample and one value a row.",
        )
    check(
        labels.dtype.kind in "iuUb",
        f"The labels in {path} are {labels.dtype}, but must be whole numbers or text; convert them first.",
    )
    ids, class_names = columns.get("ids"), columns.get("class_names")
    check(
        ids is None or ids.dtype.kind in "iu",
        f"The ids in {path} are not whole numbers; leave them out to have the rows numbered.",
    )
    named = class_names is not None and labels.dtype.kind in "iu"
    embeddings = EmbeddingSet.of(vectors, labels, ids=ids, class_names=class_names.astype(str) if named else None)
    return embeddings, _split_codes(path, columns.get("split"), len(embeddings))


def _split_codes(path: Path, split: np.ndarray | None, count: int) -> np.ndarray:
    """(N,) uint8 from codes or part names."""
    if split is None:
        return np.full(count, TEST, dtype=np.uint8)
    values = np.array(SPLIT_NAMES) if split.dtype.kind == "U" else np.arange(len(SPLIT_NAMES))
    strange = ~np.isin(split, values)
    check(
        not strange.any(),
        f"The split in {path} has the value {split[np.argmax(strange)]}, but must be 0, 1, 2 or train, test,"
        " validation; rename it.",
    )
    return np.argmax(split[:, None] == values, axis=1).astype(np.uint8)


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    arrays = read_npz(path)
    names = {name: _pick(arrays, wanted) for name, wanted in WANTED.items()}
    for name in ("vectors", "labels"):
        check(
            names[name] is not None,
            f"{path} holds {', '.join(arrays) or 'nothing'} but no {name}; save them as {name}, for instance with"
            " numpy.savez(file, vectors=..., labels=...).",
        )
    return {name: arrays[found] for name, found in names.items() if found}


def _from_npy(path: Path) -> dict[str, np.ndarray]:
    beside = [path.with_name(f"{path.stem}{end}") for end in ("_labels.npy", ".labels.npy")]
    found = [file for file in beside if file.is_file()]
    check(
        bool(found),
        f"There are no labels beside {path}; save them as {beside[0].name}, or save both together as one .npz.",
    )
    return {"vectors": _read_npy(path), "labels": _read_npy(found[0])}


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            f"{path} is not a whole .npy file of plain numbers or text ({error}); save it with numpy.save, without"
            " Python objects."
        ) from error
    check(isinstance(array, np.ndarray), f"{path} holds several arrays; name it .npz.")
    return array


def _from_parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a whole Parquet file ({error}); write or copy it again.") from error
    names = {name: _pick(table.column_names, wanted) for name, wanted in WANTED.items()}
    check(
        names["labels"] is not None,
        f"{path} has the columns {', '.join(table.column_names[:8])} but none of labels; name one of them label.",
    )
    columns = {name: _column(path, table, names[name]) for name in ("labels", "ids", "split") if names[name]}
    vectors = names["vectors"]
    if vectors and pa.types.is_nested(table.schema.field(vectors).type):
        return columns | {"vectors": _lists(path, table, vectors)}
    floats = [
        field.name
        for field in table.schema
        if pa.types.is_floating(field.type) and field.name not in (names["labels"], names["ids"], names["split"])
    ]
    check(
        bool(floats),
        f"{path} has neither a column of lists named vector nor float columns; save the vectors in one of these ways.",
    )
    return columns | {"vectors": np.column_stack([_column(path, table, name) for name in floats])}


def _column(path: Path, table: "pa.Table", name: str) -> np.ndarray:
    column = table.column(name)
    check(
        column.null_count == 0,
        f"The column {name} of {path} has {column.null_count} empty values; fill them or drop those rows.",
    )
    values = column.to_numpy()
    return values.astype(np.str_) if values.dtype.kind == "O" else values


def _lists(path: Path, table: "pa.Table", name: str) -> np.ndarray:
    """A column of N lists of D numbers as (N, D)."""
    import pyarrow.compute as pc

    column = table.column(name).combine_chunks()
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    check(
        len(lengths) == 1 and lengths[0],
        f"The lists in the column {name} of {path} have the lengths {', '.join(map(str, lengths[:5]))}, but all must be"
        " of one length; save one vector of the same width a row.",
    )
    return pc.list_flatten(column).to_numpy(zero_copy_only=False).reshape(-1, lengths[0])


def _pick(names: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The name that stands first in `wanted`, in whatever case, or None."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)
