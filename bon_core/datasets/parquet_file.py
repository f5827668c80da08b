"""Embeddings in a Parquet file: a column of lists, or one column of numbers a dimension. Legend: N rows, D width."""

import collections
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bon_core.base import chunks
from bon_core.base.files import reason_of
from bon_core.base.intake import listed, shortened
from bon_core.config import InputError, check
from bon_core.datasets import columns as usual
from bon_core.datasets.columns import Columns, pick, pick_vectors
from bon_core.datasets.embeddings import check_vectors

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_NUMBERS = 2 << 30  # a small file can hold the same row a billion times
LONGEST_TEXT = 10_000  # characters of a label
OWN_POINTS = {"trust", "bucket", "hardness", "nearest_distance"}  # columns of our export of points, and of Atlas
INDEX = re.compile(r"__index_level_\d+__")  # the row numbers that pandas adds
NO_VALUE = "no value"


def read(path: Path) -> Columns:
    """The columns of a Parquet file, the labels as text or numbers.

    Raises
    ------
    InputError
        If the file is damaged or too large, or it is not clear which column holds what.
    """
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
            fields, left_out = _fields(file, names)
            return Columns(
                vectors=_all_vectors(path, file, places["vectors"]),
                fields=fields,
                left_out=left_out,
                source=_source(places),
                **{kind: _column(path, table, column) for kind, column in plain.items()},
            )
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise InputError(f"{path} is not a whole Parquet file ({reason_of(error)}); write or copy it again.") from error


def _source(places: dict[str, list[str]]) -> str:
    vectors = places["vectors"]
    many = f"the {len(vectors)} columns {shortened(vectors[0])} to {shortened(vectors[-1])}"
    return ", ".join(
        [
            f"vectors from {many if len(vectors) > 1 else f'the column {shortened(vectors[0])}'}",
            *(f"{kind} from {shortened(column)}" for kind, (column, *_) in places.items() if kind != "vectors"),
        ]
    )


def _check_count(path: Path, metadata: "pq.FileMetaData", names: list[str]) -> None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    count = sum(column.num_values for column in columns if column.path_in_schema.split(".")[0] in names)
    check(
        count <= MAX_NUMBERS,
        f"{path} holds {count:,} numbers, but at most {MAX_NUMBERS:,} are read at once; save a part of it.",
    )


def _places(path: Path, schema: "pa.Schema") -> dict[str, list[str]]:
    """Which columns hold what."""
    import pyarrow as pa

    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    check(twice is None, f"{path} has two columns named {twice!r}, but names must differ; rename one.")
    classes = [field.name for field in schema if not pa.types.is_floating(field.type)]  # y may be a coordinate
    names = {name: pick(schema.names, usual.WANTED[name]) for name in ("labels", "ids", "split")}
    names["labels"] = pick(classes, usual.WANTED["labels"]) or names["labels"]
    check(
        names["labels"] is not None,
        f"{path} has the columns {listed(schema.names)} but none of labels; name one of them label.",
    )
    places = {name: [found] for name, found in names.items() if found}
    for name, (column,) in places.items():
        check(
            not pa.types.is_nested(schema.field(column).type),
            f"The column {column} of {path} is {schema.field(column).type}, but {name} must be one plain value a row;"
            " flatten it.",
        )
    taken = {column for (column,) in places.values()}
    rest = [field for field in schema if field.name not in taken]
    return {"vectors": _list_column(path, rest) or _number_columns(path, rest), **places}


def _list_column(path: Path, fields: list["pa.Field"]) -> list[str]:
    """The one column of lists that holds the vectors; none if there is no such column.

    Lists of whole numbers, such as quantised embeddings, count where nothing else looks like vectors.
    """
    import pyarrow as pa

    nested = [field for field in fields if pa.types.is_nested(_storage(field.type))]
    named = [field.name for field in nested if field.name.lower() in usual.VECTOR_NAMES]
    found = pick_vectors(named, [field.name for field in nested if _holds(pa.types.is_floating, field.type)])
    if not found and not _numbered(fields):
        found = [field.name for field in nested if _holds(pa.types.is_integer, field.type)]
        floats = [field.name for field in fields if pa.types.is_floating(field.type)]
        found += floats if found and len(floats) > 1 else []  # which may be the vectors as well
    check(
        len(found) <= 1,
        f"{path} has several columns of vectors ({listed(found)}), and it is not clear which one is meant; rename that"
        " one to vector, or leave the others out.",
    )
    for column in found:
        kind = _storage(next(field.type for field in nested if field.name == column))
        check(
            _is_list(kind) and not pa.types.is_null(kind.value_type),
            f"The column {column} of {path} is {kind}, but must be lists of numbers; save one vector a row.",
        )
        check(
            not pa.types.is_nested(kind.value_type),
            f"The column {column} of {path} is {kind}, but must be lists of numbers; flatten the inner lists.",
        )
    return found


def _number_columns(path: Path, fields: list["pa.Field"]) -> list[str]:
    """One column a dimension: those numbered in a row, such as x0 to x99, else all columns of floats."""
    import pyarrow as pa

    floats = [field.name for field in fields if pa.types.is_floating(field.type)]
    check(
        not {field.name for field in fields} >= OWN_POINTS,
        f"{path} is a table of points that this program exported, which has no vectors; write these with: embed --run"
        " NAME --out FILE.parquet.",
    )
    series = _numbered(fields)
    check(
        len(series) <= 1,
        f"{path} has several rows of numbered columns ({listed(found[0] for found in series)}, ...), and it is not"
        " clear which ones are the vectors; leave the others out.",
    )
    found = series[0] if series else floats
    check(
        len(found) > 1,
        f"{path} has beside its labels {listed(field.name for field in fields) or 'nothing'}, but neither a column of"
        " lists of numbers nor a column of numbers for each dimension; save the vectors in one of these ways.",
    )
    return found


def _numbered(fields: list["pa.Field"]) -> list[list[str]]:
    """The series of columns of floats, or else of whole numbers."""
    import pyarrow as pa

    tests = (pa.types.is_floating, pa.types.is_integer)
    floats, whole = ([field.name for field in fields if test(field.type)] for test in tests)
    return _series(floats) or _series(whole)


def _series(names: list[str]) -> list[list[str]]:
    """Groups of two names or more that differ in a number at their end, each in the order of the numbers."""
    groups = collections.defaultdict(list)
    for name in names:
        number = re.search(r"\d+$", name)
        if number:
            groups[name[: number.start()]].append((int(number[0]), name))
    return [[name for _, name in sorted(group)] for group in groups.values() if len(group) > 1]


def _storage(kind: "pa.DataType") -> "pa.DataType":
    """What an extension type, such as a tensor of fixed shape, is stored as."""
    return getattr(kind, "storage_type", kind)


def _is_list(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _holds(test: Callable[["pa.DataType"], bool], kind: "pa.DataType") -> bool:
    """Whether it is lists whose values pass the test."""
    kind = _storage(kind)
    return _is_list(kind) and test(kind.value_type)


def _column(path: Path, table: "pa.Table", name: str) -> np.ndarray:
    """(N,) numbers, or text of any length a value."""
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
    return np.array(texts, dtype=np.dtypes.StringDType())


def _fields(file: "pq.ParquetFile", taken: list[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What else is known of each row, by column; and why which columns are left out."""
    fields: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    for name in (name for name in file.schema_arrow.names if name not in taken and not INDEX.fullmatch(name)):
        found = usual.BEYOND if len(fields) == usual.MAX_FIELDS else _field(file, name)
        if isinstance(found, str):
            left_out[name] = found
        else:
            fields[name] = found
    return fields, left_out


def _field(file: "pq.ParquetFile", name: str) -> np.ndarray | str:
    """(N,) numbers or text, or why the column cannot be kept."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = file.schema_arrow.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_temporal)
    if not numbers and not any(test(kind) for test in texts):
        return usual.NEITHER
    column = file.read(columns=[name]).column(name)
    if numbers:
        column = column.cast(pa.float64() if column.null_count or pa.types.is_decimal(kind) else kind)
    else:
        column = pc.fill_null(column.cast(pa.large_string()), NO_VALUE)
        if len(column) and pc.max(pc.utf8_length(column)).as_py() > usual.LONGEST_VALUE:
            return usual.NEITHER
    if pc.count_distinct(column).as_py() > usual.MAX_VALUES:
        return usual.TOO_MANY
    return column.to_numpy() if numbers else np.array(column.to_pylist(), dtype=np.dtypes.StringDType())


def _all_vectors(path: Path, file: "pq.ParquetFile", names: list[str]) -> np.ndarray:
    """(N, D), read in parts: with all at once, the table and the array would both be in memory."""
    import pyarrow as pa

    count, done = file.metadata.num_rows, 0
    found = np.empty((0, 0))
    for batch in file.iter_batches(chunks.CHUNK_ROWS, columns=names):
        part = _vectors(path, pa.Table.from_batches([batch]), names)
        if not done:
            check_vectors(part, f"The vectors in {path}")
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

    kind = _storage(table.schema.field(names[0]).type)
    if not pa.types.is_nested(kind):
        return np.column_stack([_column(path, table, name) for name in names])
    column = table.column(names[0]).cast(kind).combine_chunks()
    lengths = pc.unique(pc.list_value_length(column)).to_pylist() + [None] * (column.null_count > 0)
    check(
        len(set(lengths)) == 1 and bool(lengths[0]),
        f"The lists in the column {names[0]} of {path} have the lengths"
        f" {', '.join(map(str, dict.fromkeys(lengths[:5]))) or 'none'}, but all must be of one length; save one vector"
        " of the same width a row.",
    )
    return pc.list_flatten(column).to_numpy(zero_copy_only=False).reshape(-1, lengths[0])
