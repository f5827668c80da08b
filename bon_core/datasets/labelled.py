"""What every data set has beside its samples: labels, a class-disjoint split, ids that last. Legend: N samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from bon_core.base.intake import Intake, counted
from bon_core.config import InputError, check

TRAIN, TEST, VALIDATION = 0, 1, 2
SPLIT_NAMES = ("train", "test", "validation")  # a split code is the position here
PART_NAMES = {  # what people call the parts, in any case
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("test", "testing", "eval"), TEST),
    **dict.fromkeys(("validation", "val", "valid", "dev"), VALIDATION),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSet:
    """The columns of ImageSet and VectorSet; these say what `samples` are.

    Parameters
    ----------
    name : what the set is called in runs and titles
    labels : (N,) int64, values in [0, P)
    class_names : P strings
    split : (N,) uint8 of TRAIN, TEST, VALIDATION; all samples of a class are in one part
    ids : (N,) int64, unique and stable: they survive sub-setting and name a sample in links
    fields : further columns, each (N,), e.g. typeface or drawer; text, in a VectorSet also numbers
    intake : what was read and what was passed over; None where a set was made here
    """

    UNIT: ClassVar[str]  # what a sample is called in sentences, in the plural
    SAMPLES: ClassVar[str]  # name of the field that holds them
    FIELD_KINDS: ClassVar[str] = "UT"  # kinds of NumPy types that a field may have

    name: str
    labels: np.ndarray
    class_names: tuple[str, ...]
    split: np.ndarray
    ids: np.ndarray
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    intake: Intake | None = None

    def __post_init__(self) -> None:
        self._check_columns()
        self._check_split()

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def report(self) -> Intake:
        """What was read, at least how many samples of how many classes."""
        took = f"{counted(len(self), self.UNIT)} of {counted(len(np.unique(self.labels)), 'classes')}"
        return self.intake or Intake(took=took)

    @property
    def samples(self) -> np.ndarray:
        """What a network takes, row by row: an array, or what gives rows as an array does."""
        return getattr(self, self.SAMPLES)

    def part(self, name: str) -> Self:
        """The samples of "train", "test" or "validation", or "all"; ids and class names are kept.

        Raises
        ------
        InputError
            If the name is unknown or the part is empty.
        """
        if name == "all":
            return self
        check(name in SPLIT_NAMES, f"There is no part {name!r} of a data set; choose {', '.join(SPLIT_NAMES)} or all.")
        positions = np.flatnonzero(self.split == SPLIT_NAMES.index(name))
        remedy = "set some training classes aside (hold-out)" if name == "validation" else "choose another part"
        check(len(positions) > 0, f"The data set {self.name} has no {name} {self.UNIT}; {remedy}.")
        return self.take(positions)

    def take(self, positions: np.ndarray) -> Self:
        """The samples at `positions`, in that order; ids and class names are kept. What is on disk stays there."""
        samples = self.samples
        return replace(
            self,
            **{self.SAMPLES: samples[positions] if isinstance(samples, np.ndarray) else samples.take(positions)},
            labels=self.labels[positions],
            split=self.split[positions],
            ids=self.ids[positions],
            fields={key: column[positions] for key, column in self.fields.items()},
        )

    def _check_columns(self) -> None:
        count, unit = len(self), self.UNIT
        columns = {"labels": (self.labels, "i"), "ids": (self.ids, "i"), "split": (self.split, "u")}
        columns |= {f"field {key}": (column, self.FIELD_KINDS) for key, column in self.fields.items()}
        for name, (column, kinds) in columns.items():
            check(
                column.shape == (count,),
                f"There are {count} {unit} but {name} has shape {column.shape}; give one value a sample.",
            )
            check(
                column.dtype.kind in kinds,
                f"The column {name} is of type {column.dtype}, but must hold"
                f" {'text' if 'U' in kinds else 'whole numbers'}; convert it first.",
            )
        check(
            self.labels.min() >= 0 and self.labels.max() < len(self.class_names),
            f"Labels run from {self.labels.min()} to {self.labels.max()}, but there are {len(self.class_names)}"
            " class names; labels must index them.",
        )
        check(len(np.unique(self.ids)) == count, f"Two {unit} share an id, but ids must be unique; number them anew.")

    def _check_split(self) -> None:
        check(
            self.split.max() < len(SPLIT_NAMES),
            f"A split code is {self.split.max()}, but must be 0 (train), 1 (test) or 2 (validation).",
        )
        parts = np.zeros((len(self.class_names), len(SPLIT_NAMES)), dtype=bool)
        parts[self.labels, self.split] = True
        shared = np.flatnonzero(parts.sum(axis=1) > 1)
        if len(shared):
            first, second = np.flatnonzero(parts[shared[0]])[:2]
            raise InputError(
                f"The class {self.class_names[shared[0]]!r} (and {len(shared) - 1} more) has {self.UNIT} in both"
                f" {SPLIT_NAMES[first]} and {SPLIT_NAMES[second]}, but the parts must not share classes;"
                f" put all {self.UNIT} of a class into one part."
            )


def split_codes(split: np.ndarray, what: str) -> np.ndarray:
    """(N,) uint8 from codes, or from names of parts as people write them; `what` begins the sentences.

    Raises
    ------
    InputError
        If a value is neither.
    """
    check(
        split.dtype.kind in "iuUTfb",
        f"{what} is of type {split.dtype}, but must be 0, 1, 2 or train, test, validation; convert it.",
    )
    found, positions = np.unique(split, return_inverse=True)
    if split.dtype.kind in "UT":
        codes = [PART_NAMES.get(str(value).lower(), -1) for value in found]
    else:
        codes = [int(value) if value in range(len(SPLIT_NAMES)) else -1 for value in found.tolist()]
    of_rows = np.array(codes, dtype=np.int64)[positions]
    strange = of_rows < 0
    check(
        not strange.any(),
        f"{what} has the value {split[np.argmax(strange)] if len(split) else ''}, but must be 0, 1, 2 or train, test,"
        " validation; rename it.",
    )
    return of_rows.astype(np.uint8)
