"""The one value that flows from a network (or a file) to everything that looks at an embedding space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bon_core.base.chunks import row_chunks
from bon_core.base.files import scratch
from bon_core.base.intake import Intake, counted
from bon_core.config import InputError, check

UNIT_TOLERANCE = 1e-3
SAME_LENGTH = 0.05  # lengths that differ by a smaller share than this count as equal


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingSet:
    """N labelled unit vectors.

    Parameters
    ----------
    vectors : (N, D) float32, rows of Euclidean length 1
    labels : (N,) int64, values in [0, P)
    ids : (N,) int64, unique and stable: they survive sub-setting and name a sample in links
    class_names : P strings
    fields : further columns, each (N,) text or numbers
    intake : what was read, where they come out of a file or from a caller

    Raises
    ------
    InputError
        If shapes disagree, a value is not finite, a row is not of unit length, or ids repeat.
    """

    vectors: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    class_names: tuple[str, ...]
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    intake: Intake | None = None

    def __post_init__(self) -> None:
        check_vectors(self.vectors)
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
        lengths = np.concatenate([np.linalg.norm(self.vectors[rows], axis=1) for rows in row_chunks(count)])
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
        fields: Mapping[str, np.ndarray] | None = None,
        intake: Intake | None = None,
    ) -> "EmbeddingSet":
        """Normalise raw vectors (N, D) of any float type, and number samples and classes where no names are given.

        An `intake` is kept, with a note where the vectors' lengths differ, as these are lost here.

        Raises
        ------
        InputError
            If a row is not finite or is all zeros (it has no direction), or anything the class itself refuses.
        """
        vectors = np.asarray(vectors)
        check_vectors(vectors)
        labels, names = numbered(np.asarray(labels), class_names)
        unit, lengths = _unit(vectors)
        return cls(
            vectors=unit,
            labels=labels,
            ids=np.arange(len(vectors), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64),
            class_names=names,
            fields=fields or {},
            intake=intake and intake.noting(about_lengths(lengths)),
        )

    @property
    def report(self) -> Intake:
        """What was read, at least how many embeddings."""
        return self.intake or Intake(took=counted(len(self), "embeddings"))

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, positions: np.ndarray) -> "EmbeddingSet":
        """The rows at `positions`, ids and class names kept."""
        return EmbeddingSet(
            vectors=self.vectors[positions],
            labels=self.labels[positions],
            ids=self.ids[positions],
            class_names=self.class_names,
            fields={name: column[positions] for name, column in self.fields.items()},
            intake=self.intake,
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


def check_vectors(vectors: Any, what: str = "Embeddings") -> None:
    """Raise InputError unless `vectors`, an array or Rows, are real numbers (N, D). The one check at every door."""
    check(
        vectors.ndim == 2 and 0 not in vectors.shape and vectors.dtype.kind in "fiu",
        f"{what} are {vectors.dtype} of shape {vectors.shape}, but must be real numbers, (samples, width), with at"
        " least one of each; save them as float32, one row a sample.",
    )


def check_directions(bad: np.ndarray) -> None:
    """Raise InputError if a row (N,) bool has no direction that float32 can hold."""
    if bad.any():
        raise InputError(
            f"Embedding {int(np.argmax(bad))} (and {int(bad.sum()) - 1} more) holds NaN, infinity or only zeros in"
            " float32, but every row must have a direction; drop such rows."
        )


def about_lengths(lengths: np.ndarray) -> str:
    """A note if the vectors' lengths (N,) differ, which distances between directions do not show; else empty."""
    low, high = float(lengths.min()), float(lengths.max())
    if high - low <= SAME_LENGTH * high:
        return ""
    return f"the vectors have different lengths ({low:.3g} to {high:.3g}); distances here are between their directions"


def directions(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows (N,) bool of `vectors` (N, D), possibly a memory map, have no direction in float32; and the length of
    each (N,) float64.
    """
    bad, lengths = np.zeros(len(vectors), dtype=bool), np.empty(len(vectors))
    for rows in row_chunks(len(vectors)):
        block, scale, bad[rows] = _scaled(np.asarray(vectors[rows]))
        with np.errstate(invalid="ignore", over="ignore"):  # rows without a direction
            lengths[rows] = np.linalg.norm(block, axis=1) * scale
    return bad, lengths


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, D) of any type, possibly a memory map, as float32 of length 1, and the lengths (N,) float64 that they
    had; block by block, to need little beside.
    """
    unit, bad, lengths = scratch(vectors.shape), np.zeros(len(vectors), dtype=bool), np.empty(len(vectors))
    for rows in row_chunks(len(vectors)):
        block, scale, bad[rows] = _scaled(np.asarray(vectors[rows]))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # rows without a direction, refused below
            norms = np.linalg.norm(block, axis=1)
            unit[rows] = block / norms[:, None]
            lengths[rows] = norms * scale
    check_directions(bad)
    return unit, lengths


def _scaled(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray | float, np.ndarray]:
    """Rows (N, D) as floats whose squares neither overflow nor vanish, what they were divided by (N,), and which of
    them (N,) have no direction in float32, whatever type they are of.
    """
    wide = vectors.dtype.kind == "f" and vectors.dtype.itemsize > 4
    vectors = vectors.astype(np.float64 if wide else np.float32, copy=False)
    largest = np.abs(vectors).max(axis=1, initial=0).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        as_float32 = largest.astype(np.float32)
    bad = ~(np.isfinite(as_float32) & (as_float32 > 0))
    if bad.any() or (largest.max(initial=1) < 1e15 and largest.min(initial=1) > 1e-15):
        return vectors, 1.0, bad
    return vectors / largest[:, None].astype(vectors.dtype), largest, bad
