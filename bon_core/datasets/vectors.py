"""Ready embeddings with labels from .npz, .npy or .parquet. Legend: N embeddings, D width."""

from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.files import check_characters, path_of, read_npz, reason_of
from bon_core.base.intake import Intake, counted, listed
from bon_core.config import InputError, check
from bon_core.datasets import columns as usual
from bon_core.datasets import parquet_file
from bon_core.datasets.columns import Columns, pick, pick_vectors
from bon_core.datasets.embeddings import (
    EmbeddingSet,
    about_lengths,
    check_directions,
    check_vectors,
    directions,
    numbered,
)
from bon_core.datasets.labelled import TEST, split_codes
from bon_core.datasets.remedies import vectors_remedy
from bon_core.datasets.rows import Rows
from bon_core.datasets.splits import SPLIT_SEED, TEST_SHARE, class_disjoint
from bon_core.datasets.vector_set import VectorSet

BESIDE = ("labels", "ids", "split", "class_names")  # that an .npy file may have in files beside it


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
        columns.vectors,
        columns.labels,
        ids=columns.ids,
        class_names=columns.class_names,
        fields=columns.fields,
        intake=_intake(columns),
    )
    split = columns.split
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
    vectors, split = columns.vectors, columns.split
    bad, lengths = directions(vectors)
    check_directions(bad)
    if not isinstance(vectors, np.memmap) and vectors.dtype not in (np.float16, np.float32):
        vectors = vectors.astype(np.float32)
    labels, class_names = numbered(columns.labels, columns.class_names)
    drawn = "" if split is not None else "without a split, half of the classes are kept for testing"
    return VectorSet(
        name=path.stem,
        vectors=Rows(vectors) if isinstance(vectors, np.memmap) else vectors,
        labels=labels,
        class_names=class_names,
        split=class_disjoint(labels, test_share=TEST_SHARE, seed=SPLIT_SEED) if split is None else split,
        ids=np.asarray(np.arange(len(labels)) if columns.ids is None else columns.ids, dtype=np.int64),
        fields=columns.fields,
        intake=_intake(columns).noting(about_lengths(lengths), drawn),
    )


def holds_vectors(path: Path) -> bool:
    """Whether the file at `path` is one of embeddings, by its suffix, and for an .npz by what is in it."""
    if path.suffix.lower() != ".npz":
        return path.suffix.lower() in READERS
    try:
        with np.load(path, allow_pickle=False) as file:
            return {"images", "format"}.isdisjoint(file.files)  # what ImageSet.save writes
    except Exception:  # a damaged file: zipfile and numpy raise a dozen types
        return False


def _read(path: Path) -> Columns:
    """The columns of a file, checked but for what their owners check."""
    check(path.is_file(), f"There is no file of embeddings {path}; check the path.")
    check(
        path.suffix.lower() in READERS,
        f"{path} is not a file of embeddings; save them as {', '.join(READERS)}{vectors_remedy(path)}.",
    )
    columns = READERS[path.suffix.lower()](path)
    check_vectors(columns.vectors, f"The vectors in {path}")
    for name in ("labels", "ids", "split"):
        column = getattr(columns, name)
        check(
            column is None or column.shape == columns.vectors.shape[:1],
            f"{path} holds vectors of shape {columns.vectors.shape} but {name} of shape {np.shape(column)}; save one"
            " row a sample and one value a row.",
        )
    _check_names(path, columns)
    if columns.split is not None:
        columns.split = split_codes(columns.split, f"The split in {path}")
    return columns


def _check_names(path: Path, columns: Columns) -> None:
    """Check what names rows and classes; class names are kept only where the labels are numbers of them."""
    labels, ids, class_names = columns.labels, columns.ids, columns.class_names
    check(
        labels.dtype.kind in "iuUTb",
        f"The labels in {path} are {labels.dtype}, but must be whole numbers or text; convert them first.",
    )
    check(
        ids is None or (ids.dtype.kind in "iu" and (not len(ids) or ids.max() <= np.iinfo(np.int64).max)),
        f"The ids in {path} are not whole numbers below 2^63; leave them out to have the rows numbered.",
    )
    check(
        class_names is None or (class_names.ndim == 1 and class_names.dtype.kind in "iuUb"),
        f"The class names in {path} are {getattr(class_names, 'dtype', None)} of shape {np.shape(class_names)}, but"
        " must be a row of texts; save one for each class, or leave them out.",
    )
    if class_names is not None and labels.dtype.kind not in "iu":
        columns.class_names, columns.left_out["class_names"] = None, "without need, as the labels are text"
    elif class_names is not None:
        columns.class_names = [str(name) for name in class_names]


def _intake(columns: Columns) -> Intake:
    count, width = columns.vectors.shape
    return Intake(
        took=f"{counted(count, 'vectors')} of {counted(len(np.unique(columns.labels)), 'classes')},"
        f" {counted(width, 'dimensions')}",
        source=columns.source,
        passed_over=columns.passed_over(),
    ).noting(f"kept to colour by: {listed(columns.fields)}" if columns.fields else "")


def _from_npz(path: Path) -> Columns:
    arrays = read_npz(path)
    names = {kind: pick(arrays, wanted) for kind, wanted in usual.WANTED.items()}
    rest = [name for name in arrays if name not in names.values()]
    names["vectors"] = _vectors_of(path, {name: arrays[name] for name in rest})
    for kind in ("vectors", "labels"):
        check(
            names[kind] is not None,
            f"{path} holds {listed(arrays) or 'nothing'} but no {kind}; save them as {kind}, for instance with"
            " numpy.savez(file, vectors=..., labels=...).",
        )
    found = {kind: name for kind, name in names.items() if name}
    taken: dict[str, Any] = {kind: arrays[name] for kind, name in found.items()}
    columns = Columns(**taken)
    columns.source = ", ".join(
        [f"vectors from the array {found.pop('vectors')}", *(f"{kind} from {name}" for kind, name in found.items())]
    )
    for name in (name for name in rest if name != names["vectors"]):
        why = _why_no_field(arrays[name], columns)
        if why:
            columns.left_out[name] = why
        else:
            columns.fields[name] = arrays[name].astype(str) if arrays[name].dtype.kind == "b" else arrays[name]
    return columns


def _vectors_of(path: Path, arrays: dict[str, np.ndarray]) -> str | None:
    """The name of the array of vectors: a usual one, or that of the only table of floats, or of whole numbers."""
    named = [name for name in arrays if name.lower() in usual.VECTOR_NAMES]
    if len(named) > 1:
        named = [name for name in named if arrays[name].ndim == 2] or named
    tables = {
        kind: [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in kind]
        for kind in ("f", "iu")
    }
    found = pick_vectors(named, tables["f"] or tables["iu"])
    check(
        len(found) <= 1,
        f"{path} holds several arrays of vectors ({listed(found)}), and it is not clear which one is meant; save that"
        " one as vectors.",
    )
    return found[0] if found else None


def _why_no_field(array: np.ndarray, columns: Columns) -> str:
    """Why an array cannot be kept as a column that points are coloured by; empty if it can."""
    if array.shape != columns.vectors.shape[:1]:
        return "of another shape than one value a vector"
    width = array.dtype.itemsize // 4 if array.dtype.kind == "U" else 0
    if array.dtype.kind not in "iufUb" or width > usual.LONGEST_VALUE:
        return usual.NEITHER
    if len(columns.fields) == usual.MAX_FIELDS:
        return usual.BEYOND
    return usual.TOO_MANY if len(np.unique(array)) > usual.MAX_VALUES else ""


def _from_npy(path: Path) -> Columns:
    """The vectors mapped, not read; the columns read from the files beside them."""
    beside = {name: [path.with_name(f"{path.stem}{dot}{name}.npy") for dot in "_."] for name in BESIDE}
    found = {name: file for name, files in beside.items() for file in files if file.is_file()}
    check(
        "labels" in found,
        f"There are no labels beside {path}; save them as {beside['labels'][0].name}, or save both together as one"
        " .npz.",
    )
    vectors = _read_npy(path, mapped=True)
    others: dict[str, Any] = {name: _read_npy(file) for name, file in found.items()}
    columns = Columns(vectors=vectors, **others)
    columns.source = ", ".join([f"vectors from {path.name}", *(f"{name} from {f.name}" for name, f in found.items())])
    return columns


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


READERS = {".npz": _from_npz, ".npy": _from_npy, ".parquet": parquet_file.read}
