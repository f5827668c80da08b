"""Ready embeddings with labels from .npz, .npy or .parquet. Legend: N embeddings, D width."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bon_core.config import InputError, check
from bon_core.datasets.labelled import SPLIT_NAMES, TEST
from bon_core.datasets.rows import Rows
from bon_core.datasets.splits import SPLIT_SEED, TEST_SHARE, class_disjoint
from bon_core.datasets.vector_set import VectorSet
from bon_core.embeddings import EmbeddingSet, check_directions, numbered, without_direction
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
BESIDE = ("labels", "ids", "split", "class_names")  # that an .npy file may have in files beside it
BLOCK = 65536  # rows of a Parquet file read at once
MOST_NUMBERS = 2 << 30  # of a Parquet file; a small one can hold the same row a billion times
LONGEST_TEXT = 10_000  # characters of a label; every label takes as much memory as the longest


def load_vectors(path: str | Path) -> tuple[EmbeddingSet, np.ndarray]:
    """Embeddings, normalised, and the part that each belongs to.

    - .npz: arrays of vectors (N, D) and labels (N,), numbers or text, under one of the names above; optional ids (N,),
      class_names (P,) for labels 0..P-1, and split (N,): 0, 1, 2 or train, test, validation
    - .npy: vectors (N, D), with the labels in NAME_labels.npy or NAME.labels.npy beside it; likewise optional ids,
      split and class_names
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
    columns = _read(path)
    embeddings = EmbeddingSet.of(
        columns["vectors"], columns["labels"], ids=columns.get("ids"), class_names=columns.get("class_names")
    )
    split = columns.get("split")
    return embeddings, np.full(len(embeddings), TEST, dtype=np.uint8) if split is None else split


def load_vector_set(path: str | Path) -> VectorSet:
    """The embeddings of a file of `load_vectors`, as they are, to train on; those of an .npy file stay on disk.

    Without a split, half the classes (by a fixed seed) are the test part.

    Raises
    ------
    InputError
        As `load_vectors` does; and if two parts share a class, or there are fewer than two classes.
    """
    path = path_of(path)
    columns = _read(path)
    vectors, split = columns["vectors"], columns.get("split")
    if not isinstance(vectors, np.memmap) and vectors.dtype not in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32)
    labels, class_names = numbered(columns["labels"], columns.get("class_names"))
    made = VectorSet(
        name=path.stem,
        vectors=Rows(vectors) if isinstance(vectors, np.memmap) else vectors,
        labels=labels,
        class_names=class_names,
        split=class_disjoint(labels, test_share=TEST_SHARE, seed=SPLIT_SEED) if split is None else split,
        ids=np.asarray(columns.get("ids", np.arange(len(labels))), dtype=np.int64),
    )
    check_directions(without_direction(vectors))
    return made


def holds_vectors(path: Path) -> bool:
    """Whether the file at `path` is one of embeddings, by its suffix, and for an .npz by what is in it."""
    if path.suffix.lower() != ".npz":
        return path.suffix.lower() in READERS
    try:
        with np.load(path, allow_pickle=False) as file:
            return {"images", "format"}.isdisjoint(file.files)  # what ImageSet.save writes
    except Exception:  # a damaged file: zipfile and numpy raise a dozen types
        return False


def _read(path: Path) -> dict[str, Any]:
    """The columns of a file by the names of WANTED, checked but for what their owners check."""
    check(path.is_file(), f"There is no file of embeddings {path}; check the path.")
    check(
        path.suffix.lower() in READERS,
        f"{path} is not a file of embeddings; save them as {', '.join(READERS)}.",
    )
    columns = READERS[path.suffix.lower()](path)
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
    columns["class_names"] = [str(name) for name in class_names] if named else None
    if columns.get("split") is not None:
        columns["split"] = _split_codes(path, columns["split"])
    return columns


def _split_codes(path: Path, split: np.ndarray) -> np.ndarray:
    """(N,) uint8 from codes or part names."""
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
    """The vectors mapped, not read; the columns read from the files beside them."""
    beside = {name: [path.with_name(f"{path.stem}{dot}{name}.npy") for dot in "_."] for name in BESIDE}
    found = {name: file for name, files in beside.items() for file in files if file.is_file()}
    check(
        "labels" in found,
        f"There are no labels beside {path}; save them as {beside['labels'][0].name}, or save both together as one"
        " .npz.",
    )
    return {"vectors": _read_npy(path, mapped=True), **{name: _read_npy(file) for name, file in found.items()}}


def _read_npy(path: Path, *, mapped: bool = False) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
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
            file.scan_contents()  # a footer that contradicts itself is an error here; below it would end the process
            _check_count(path, file.metadata, names)
            plain = {kind: column for kind, (column, *_) in places.items() if kind != "vectors"}
            table = file.read(columns=list(plain.values()))
            found = {kind: _column(path, table, column) for kind, column in plain.items()}
            return found | {"vectors": _all_vectors(path, file, places["vectors"])}
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


def _all_vectors(path: Path, file: "pq.ParquetFile", names: list[str]) -> np.ndarray:
    """(N, D), read in parts: with all at once, the table and the array would both be in memory."""
    import pyarrow as pa

    count, done = file.metadata.num_rows, 0
    found = np.empty((0, 0))
    for batch in file.iter_batches(BLOCK, columns=names):
        part = _vectors(path, pa.Table.from_batches([batch]), names)
        if not done:
            found = np.empty((count, part.shape[1]), np.float64 if part.dtype.kind in "iu" else part.dtype)
        check(
            part.shape[1] == found.shape[1],
            f"The lists in the column {names[0]} of {path} have the lengths {found.shape[1]}, {part.shape[1]}, but all"
            " must be of one length; save one vector of the same width a row.",
        )
        found[done : done + len(part)] = part
        done += len(part)
    check(done == count, f"{path} is not a whole Parquet file ({done:,} of {count:,} rows); write or copy it again.")
    return found


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


READERS = {".npz": _from_npz, ".npy": _from_npy, ".parquet": _from_parquet}
