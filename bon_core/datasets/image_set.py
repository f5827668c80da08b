"""ImageSet: labelled square images of one size in memory, with a class-disjoint split. Every loader returns one.

Legend: N images, H pixels a side, P classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bon_core.config import InputError, check
from bon_core.files import read_npz, reason_of, whole_file

TRAIN, TEST, VALIDATION = 0, 1, 2
SPLIT_NAMES = ("train", "test", "validation")  # a split code is the position here

FORMAT = "bon-image-set-1"


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """N labelled images of H x H pixels.

    Parameters
    ----------
    name : what the set is called in runs and titles
    images : (N, H, H) uint8 grey or (N, H, H, 3) uint8 RGB
    labels : (N,) int64, values in [0, P)
    class_names : P strings
    split : (N,) uint8 of TRAIN, TEST, VALIDATION; all images of a class are in one part
    ids : (N,) int64, unique and stable: they survive sub-setting and name an image in links
    fields : further string columns, each (N,), e.g. typeface or drawer

    Raises
    ------
    InputError
        If shapes or types disagree, a label has no class name, ids repeat, or a class is in two parts.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    split: np.ndarray
    ids: np.ndarray
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_images()
        self._check_columns()
        self._check_split()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """H, the side of an image in pixels."""
        return self.images.shape[1]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.images.ndim == 3 else 3

    def part(self, name: str) -> "ImageSet":
        """The images of "train", "test" or "validation", or "all"; ids and class names are kept.

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
        check(len(positions) > 0, f"The data set {self.name} has no {name} images; {remedy}.")
        return self.take(positions)

    def take(self, positions: np.ndarray) -> "ImageSet":
        """The images at `positions`, in that order; ids and class names are kept."""
        return ImageSet(
            name=self.name,
            images=self.images[positions],
            labels=self.labels[positions],
            class_names=self.class_names,
            split=self.split[positions],
            ids=self.ids[positions],
            fields={key: column[positions] for key, column in self.fields.items()},
        )

    def save(self, path: str | Path) -> None:
        """Write one .npz of plain arrays, whole or not at all."""
        arrays = {
            "format": np.array(FORMAT),
            "name": np.array(self.name),
            "images": self.images,
            "labels": self.labels.astype(np.int32),
            "class_names": np.array(self.class_names),
            "split": self.split,
            "ids": self.ids,
            "field_names": np.array(list(self.fields), dtype=np.str_),
        }
        for number, column in enumerate(self.fields.values()):
            values, codes = np.unique(column, return_inverse=True)
            arrays[f"field_{number}_values"] = values
            arrays[f"field_{number}_codes"] = codes.astype(np.int32)
        with whole_file(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "ImageSet":
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is missing, truncated, of another kind, or holds an invalid set.
        """
        path = Path(path)
        arrays = read_npz(path)
        missing = [key for key in ("format", "images", "labels", "class_names", "split", "ids") if key not in arrays]
        check(
            not missing and str(arrays["format"]) == FORMAT,
            f"{path} is an .npz file but not an image set (no {', '.join(missing) or FORMAT}); save one with"
            " ImageSet.save, or give a folder or zip of images.",
        )
        try:
            keys = [str(key) for key in arrays["field_names"]]
            values = [arrays[f"field_{number}_values"] for number in range(len(keys))]
            codes = [arrays[f"field_{number}_codes"] for number in range(len(keys))]
            return cls(
                name=str(arrays["name"]),
                images=arrays["images"],
                labels=arrays["labels"].astype(np.int64, casting="same_kind"),
                class_names=tuple(str(name) for name in arrays["class_names"]),
                split=arrays["split"],
                ids=arrays["ids"],
                fields={key: part[code] for key, part, code in zip(keys, values, codes, strict=True)},
            )
        except InputError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"{path} is damaged ({reason_of(error)}); build or copy the image set again.") from error

    def _check_images(self) -> None:
        shape, dtype = self.images.shape, self.images.dtype
        square = len(shape) in (3, 4) and shape[1] == shape[2] and shape[3:] in ((), (3,)) and 0 not in shape
        check(
            square and dtype == np.uint8,
            f"Images are {dtype} of shape {shape}, but must be uint8 of shape (images, side, side), or"
            " (images, side, side, 3) for colour; convert them first.",
        )

    def _check_columns(self) -> None:
        count = len(self.images)
        columns = {"labels": (self.labels, "i"), "ids": (self.ids, "i"), "split": (self.split, "u")}
        columns |= {f"field {key}": (column, "U") for key, column in self.fields.items()}
        for name, (column, kind) in columns.items():
            check(
                column.shape == (count,),
                f"There are {count} images but {name} has shape {column.shape}; give one value an image.",
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
        check(len(np.unique(self.ids)) == count, "Two images share an id, but ids must be unique; number them anew.")

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
                f"The class {self.class_names[shared[0]]!r} (and {len(shared) - 1} more) has images in both"
                f" {SPLIT_NAMES[first]} and {SPLIT_NAMES[second]}, but the parts must not share classes;"
                " put all images of a class into one part."
            )
