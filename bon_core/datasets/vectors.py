"""Ready embeddings with labels from .npz, .npy or .parquet. Legend: N embeddings, D width."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bon_core.config import InputError, check
from bon_core.datasets.image_set import SPLIT_NAMES, TEST
from bon_core.embeddings import EmbeddingSet
from bon_core.files import check_characters, path_of, read_npz, reason_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# What people call these columns, in any case; the first that is there is taken.
WANTED = {
    "vectors": ("vectors", "embeddings", "vector", "embedding", "features", "x"),
    "labels": ("labels", "label", "targets", "target", "y", "classes", "class"),
    "ids": ("ids", "id"),
    "split": ("split", "splits", "part"),
    "class_names": ("class_names",),
}
MOST_NUMBERS = 2 << 30  # of a Parquet file; a small one can hold the same row a billion times
LONGEST_TEXT = 10_000  # characters of a label; every label takes as much memory as the longest


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
    path = path_of(path)
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
        ids is None or (ids.dtype.kind in "iu" and (not len(ids) or ids.max() <= np.iinfo(np.int64).max)),
        f"The ids in {path} are not whole numbers below 2^63; leave them out to have the rows numbered.",
    )
    check(
        class_names is None or (class_names.ndim == 1 and class_names.dtype.kind in "iuUb"),
        f"The class names in {path} are {getattr(class_names, 'dtype', None)} of shape {np.shape(class_names)}, but"
        " must be a row of texts; save one for each class, or leave them out.",
    )
    named = class_names is not None and labels.dtype.kind in "iu"
    names = [str(name) for name in class_names] if named else None
    embeddings = EmbeddingSet.of(vectors, labels, ids=ids, class_names=names)
    return embeddings, _split_codes(path, columns.get("split"), len(embeddings))


def _split_codes(path: Path, split: np.ndarray | None, count: int) -> np.ndarray:
    """(N,) uint8 from codes or part names."""
    if split is None:
        return np.full(count, TEST, dtype=np.uint8)
    values = np.array(SPLIT_NAMES) if split.dtype.kind == "U" else np.arange(len(SPLIT_NAMES))
    check(
        split.dtype.kind in "iuUfb",
        f"The split in {path} is of type {split.dtype}, but must be 0, 1, 2 or train, test, validation; convert it.",
    )
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
    except Exception as error:  # a lying header makes numpy and ast raise half a dozen types
        raise InputError(
            f"{path} is not a whole .npy file of plain numbers or text ({reason_of(error)}); save it with numpy.save,"
            " without Python objects."
        ) from error
    check(isinstance(array, np.ndarray), f"{path} holds several arrays; name it .npz.")
    check_characters(path, array)
    return array


def _from_parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            places = _places(path, file.schema_arrow)
            names = [name for found in places.values() for name in found]
            _check_count(path, file.metadata, names)
            table = file.read(columns=names)
        return {
            kind: _vectors(path, table, found) if kind == "vectors" else _column(path, table, found[0])
            for kind, found in places.items()
        }
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise InputError(f"{path} is not a whole Parquet file ({reason_of(error)}); write or copy it again.") from error


def _check_count(path: Path, metadata: "pq.FileMetaData", names: list[str]) -> None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    count = sum(column.num_values for column in columns if column.path_in_schema.split(".")[0] in names)
    check(
        count <= MOST_NUMBERS,
        f"{path} holds {count:,} numbers, but at most {MOST_NUMBERS:,} are read at once; save a part of it.",
    )


def _places(path: Path, schema: "pa.Schema") -> dict[str, list[str]]:
    """Which columns hold what: vectors are one column of lists, or all columns of floats that are nothing else."""
    import pyarrow as pa

    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    check(twice is None, f"{path} has two columns named {twice!r}, but names must differ; rename one.")
    names = {name: _pick(schema.names, wanted) for name, wanted in WANTED.items()}
    check(
        names["labels"] is not None,
        f"{path} has the columns {', '.join(schema.names[:8])} but none of labels; name one of them label.",
    )
    places = {name: [names[name]] for name in ("labels", "ids", "split") if names[name]}
    for name, (column,) in places.items():
        check(
            not pa.types.is_nested(schema.field(column).type),
            f"The column {column} of {path} is {schema.field(column).type}, but {name} must be one plain value a row;"
            " flatten it.",
        )
    vectors = names["vectors"]
    if vectors and pa.types.is_nested(schema.field(vectors).type):
        kind = schema.field(vectors).type
        check(
            any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)),
            f"The column {vectors} of {path} is {kind}, but must be lists of numbers; save one vector a row.",
        )
        check(
            not pa.types.is_nested(kind.value_type),
            f"The column {vectors} of {path} is {kind}, but must be lists of numbers; flatten the inner lists.",
        )
        places["vectors"] = [vectors]
    else:
        taken = {column for (column,) in places.values()}
        floats = [field.name for field in schema if pa.types.is_floating(field.type) and field.name not in taken]
        check(
            bool(floats),
            f"{path} has neither a column of lists named vector nor float columns; save the vectors in one of these"
            " ways.",
        )
        places["vectors"] = floats
    return places


def _column(path: Path, table: "pa.Table", name: str) -> np.ndarray:
    column = table.column(name)
    check(
        column.null_count == 0,
        f"The column {name} of {path} has {column.null_count} empty values; fill them or drop those rows.",
    )
    values = column.to_numpy()
    if values.dtype.kind != "O":
        return values
    texts = [str(value) for value in values]
    check(
        max(map(len, texts), default=0) <= LONGEST_TEXT,
        f"The column {name} of {path} has a text of {max(map(len, texts), default=0):,} characters, but at most"
        f" {LONGEST_TEXT:,} are kept; shorten it.",
    )
    return np.array(texts, dtype=np.str_)


def _vectors(path: Path, table: "pa.Table", names: list[str]) -> np.ndarray:
    """A column of N lists of D numbers, or D columns of numbers, as (N, D)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_nested(table.schema.field(names[0]).type):
        return np.column_stack([_column(path, table, name) for name in names])
    column = table.column(names[0]).combine_chunks()
    lengths = pc.unique(pc.list_value_length(column)).to_pylist() + [None] * (column.null_count > 0)
    check(
        len(set(lengths)) == 1 and bool(lengths[0]),
        f"The lists in the column {names[0]} of {path} have the lengths"
        f" {', '.join(map(str, dict.fromkeys(lengths[:5]))) or 'none'}, but all must be of one length; save one vector"
        " of the same width a row.",
    )
    return pc.list_flatten(column).to_numpy(zero_copy_only=False).reshape(-1, lengths[0])


def _pick(names: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The name that stands first in `wanted`, in whatever case, or None."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)
