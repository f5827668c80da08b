"""The one value that flows from a network (or a file) to everything that looks at an embedding space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bon_core.config import InputError
from bon_core.files import scratch

UNIT_TOLERANCE = 1e-3
BLOCK = 65536  # rows worked on at once, so that a memory map stays on disk


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingSet:
    """N labelled unit vectors.

    Parameters
    ----------
    vectors : (N, D) float32, rows of Euclidean length 1
    labels : (N,) int64, values in [0, P)
    ids : (N,) int64, unique and stable: they survive sub-setting and name a sample in links
    class_names : P strings

    Raises
    ------
    InputError
        If shapes disagree, a value is not finite, a row is not of unit length, or ids repeat.
    """

    vectors: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or 0 in self.vectors.shape:
            raise InputError(
                f"Embeddings have shape {self.vectors.shape}, but must be (samples, width) with at least one of each;"
                " save one row a sample."
            )
        kinds = [(self.vectors.dtype, np.float32), (self.labels.dtype, np.int64), (self.ids.dtype, np.int64)]
        if any(found != wanted for found, wanted in kinds):
            raise InputError(
                f"Embeddings, labels and ids are {', '.join(str(found) for found, _ in kinds)}, but must be float32,"
                " int64, int64; build the set with EmbeddingSet.of, which converts."
            )
        count = len(self.vectors)
        for name, array in (("labels", self.labels), ("ids", self.ids)):
            if array.shape != (count,):
                raise InputError(
                    f"There are {count} embeddings but {name} have shape {array.shape}; give one {name[:-1]} a row."
                )
        if len(np.unique(self.ids)) != count:
            raise InputError("Two embeddings share an id, but ids must be unique; leave ids out to number the rows.")
        if self.labels.min() < 0 or self.labels.max() >= len(self.class_names):
            raise InputError(
                f"Labels run from {self.labels.min()} to {self.labels.max()}, but there are"
                f" {len(self.class_names)} class names; labels must index them."
            )
        blocks = range(0, count, BLOCK)
        lengths = np.concatenate([np.linalg.norm(self.vectors[start : start + BLOCK], axis=1) for start in blocks])
        if not np.all(np.abs(lengths - 1) < UNIT_TOLERANCE):  # a NaN length fails here too
            row = int(np.argmax(~(np.abs(lengths - 1) < UNIT_TOLERANCE)))
            raise InputError(
                f"Embedding {row} has length {lengths[row]:.4g}, but rows must have length 1;"
                " build the set with EmbeddingSet.of, which normalises."
            )

    @classmethod
    def of(
        cls,
        vectors: np.ndarray,
        labels: np.ndarray,
        *,
        ids: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
    ) -> "EmbeddingSet":
        """Normalise raw vectors (N, D) of any float type, and number samples and classes where no names are given.

        Raises
        ------
        InputError
            If a row is not finite or is all zeros (it has no direction), or anything the class itself refuses.
        """
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or 0 in vectors.shape or vectors.dtype.kind not in "fiu":
            raise InputError(
                f"Embeddings are {vectors.dtype} of shape {vectors.shape}, but must be numbers, (samples, width),"
                " with at least one of each; save them as float32, one row a sample."
            )
        labels, names = numbered(np.asarray(labels), class_names)
        return cls(
            vectors=_unit(vectors),
            labels=labels,
            ids=np.arange(len(vectors), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64),
            class_names=names,
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, positions: np.ndarray) -> "EmbeddingSet":
        """The rows at `positions`, ids and class names kept."""
        return EmbeddingSet(
            vectors=self.vectors[positions],
            labels=self.labels[positions],
            ids=self.ids[positions],
            class_names=self.class_names,
        )


def numbered(labels: np.ndarray, class_names: Sequence[str] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels (N,) as int64 from 0 on, and the P class names that they index: those given, or one for each label.

    Raises
    ------
    InputError
        If there are class names and the labels are no whole numbers, or there are none and a label is negative.
    """
    if class_names is None:
        if labels.dtype.kind in "iu" and len(labels) and labels.min() < 0:
            raise InputError(f"The smallest label is {labels.min()}, but labels count from 0; renumber the classes.")
        names, labels = np.unique(labels, return_inverse=True)
        class_names = [str(name) for name in names]
    elif labels.dtype.kind not in "iu":
        raise InputError(
            f"Labels are {labels.dtype}, but with class names they must be whole numbers that index these;"
            " leave the class names out to number text labels."
        )
    return labels.astype(np.int64), tuple(class_names)


def check_directions(bad: np.ndarray) -> None:
    """Raise InputError if a row (N,) bool has no direction, or none that float32 can hold."""
    if bad.any():
        raise InputError(
            f"Embedding {int(np.argmax(bad))} (and {int(bad.sum()) - 1} more) holds NaN, infinity or only zeros,"
            " but every row must have a direction; drop such rows."
        )


def without_direction(vectors: np.ndarray) -> np.ndarray:
    """Which rows (N,) bool of `vectors` (N, D), possibly a memory map, are not finite in float32 or only zeros."""
    bad = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), BLOCK):
        with np.errstate(over="ignore"):
            block = np.asarray(vectors[start : start + BLOCK], dtype=np.float32)
        bad[start : start + BLOCK] = ~(np.isfinite(block).all(axis=1) & block.any(axis=1))
    return bad


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows (N, D) of any type, possibly a memory map, as float32 of length 1; block by block, to need little beside."""
    kind = np.float64 if vectors.dtype.kind == "f" and vectors.dtype.itemsize > 4 else np.float32
    unit, bad = scratch(vectors.shape), np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), BLOCK):
        block, bad[start : start + BLOCK] = _of_moderate_length(np.asarray(vectors[start : start + BLOCK], dtype=kind))
        with np.errstate(invalid="ignore", divide="ignore"):  # rows without a direction, refused below
            unit[start : start + BLOCK] = block / np.linalg.norm(block, axis=1, keepdims=True)
    check_directions(bad)
    return unit


def _of_moderate_length(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, D) whose squares neither overflow nor vanish, and which rows (N,) have no direction."""
    largest = np.abs(vectors).max(axis=1, initial=0)
    bad = ~(np.isfinite(largest) & (largest > 0))
    if bad.any() or (largest.max(initial=1) < 1e15 and largest.min(initial=1) > 1e-15):
        return vectors, bad
    return vectors / largest[:, None], bad
