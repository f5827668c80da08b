"""What every data set has beside its samples: labels, a class-disjoint split, ids that last. Legend: N samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from bon_core.config import InputError, check

TRAIN, TEST, VALIDATION = 0, 1, 2
SPLIT_NAMES = ("train", "test", "validation")  # a split code is the position here


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
    fields : further string columns, each (N,), e.g. typeface or drawer
    """

    UNIT: ClassVar[str]  # what a sample is called in sentences, in the plural
    SAMPLES: ClassVar[str]  # name of the field that holds them

    name: str
    labels: np.ndarray
    class_names: tuple[str, ...]
    split: np.ndarray
    ids: np.ndarray
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_columns()
        self._check_split()

    def __len__(self) -> int:
        return len(self.samples)

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
        columns |= {f"field {key}": (column, "U") for key, column in self.fields.items()}
        for name, (column, kind) in columns.items():
            check(
                column.shape == (count,),
                f"There are {count} {unit} but {name} has shape {column.shape}; give one value a sample.",
            )
            check(
                column.dtype.kind == kind,
                f"The column {name} is of type {column.dtype}, but must hold"
                f" {'text' if kind == 'U' else 'whole numbers'}; convert it first.",
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
