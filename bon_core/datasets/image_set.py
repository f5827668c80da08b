"""ImageSet: labelled square images of one size, with a class-disjoint split.

Legend: N images, H pixels a side, P classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from bon_core.base.files import read_npz, reason_of, whole_file
from bon_core.config import InputError, check
from bon_core.datasets.labelled import SPLIT_NAMES, TEST, TRAIN, VALIDATION, LabelledSet

__all__ = ["SPLIT_NAMES", "TEST", "TRAIN", "VALIDATION", "ImageSet"]

FORMAT = "bon-image-set-1"


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet(LabelledSet):
    """N labelled images of H x H pixels.

    Parameters
    ----------
    images : (N, H, H) uint8 grey or (N, H, H, 3) uint8 RGB; PictureFiles if they stay on disk

    Raises
    ------
    InputError
        If shapes or types disagree, a label has no class name, ids repeat, or a class is in two parts.
    """

    UNIT: ClassVar[str] = "images"
    SAMPLES: ClassVar[str] = "images"

    images: np.ndarray

    def __post_init__(self) -> None:
        self._check_images()
        super().__post_init__()

    @property
    def size(self) -> int:
        """H, the side of an image in pixels."""
        return self.images.shape[1]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.images.ndim == 3 else 3

    def save(self, path: str | Path) -> None:
        """Write one .npz of plain arrays, whole or not at all."""
        arrays = {
            "format": np.array(FORMAT),
            "name": np.array(self.name),
            "images": self.images[:],  # also those that stay on disk
            "labels": self.labels.astype(np.int32),
            "class_names": np.array(self.class_names),
            "split": self.split,
            "ids": self.ids,
            "field_names": np.array(list(self.fields), dtype=np.str_),
        }
        for number, column in enumerate(self.fields.values()):
            values, codes = np.unique(column, return_inverse=True)
            arrays[f"field_{number}_values"] = np.array(
                values.tolist()
            )  # as text of one length: other would be pickled
            arrays[f"field_{number}_codes"] = codes.astype(np.int32)
        with whole_file(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

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
