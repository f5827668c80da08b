"""Data sets: `load_images` for pictures, `load_vectors` for ready embeddings. Nothing here imports torch."""

from pathlib import Path

from bon_core.config import DataConfig, InputError
from bon_core.datasets import folder, glyphs, omniglot
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.sizes import resized
from bon_core.datasets.splits import hold_out
from bon_core.datasets.vectors import load_vectors
from bon_core.files import path_of

__all__ = ["NAMED_SETS", "ImageSet", "load_images", "load_vectors"]

NAMED_SETS = {"glyphs": glyphs.load, "omniglot": omniglot.load}

HOLD_OUT_SEED = 0  # the validation classes are part of the data, not of a run's chance


def load_images(data: DataConfig) -> ImageSet:
    """The images that `data` names, at its image size and with its hold-out set aside.

    Parameters
    ----------
    data : `name` is "glyphs" or "omniglot" (`path` then says where it lies, if not in its usual place), or the path
        of an image folder, a .zip of one, or an .npz that ImageSet.save wrote

    Raises
    ------
    InputError
        If there is no such set or path, or what lies there cannot be read.
    """
    if data.name in NAMED_SETS:
        images = NAMED_SETS[data.name](data.path, data.image_size)
    else:
        images = _load_path(path_of(data.name), data.image_size)
    return hold_out(images, data.holdout, HOLD_OUT_SEED) if data.holdout > 0 else images


def _load_path(path: Path, image_size: int | None) -> ImageSet:
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip"):
        return folder.load(path, image_size)
    if path.is_file() and path.suffix.lower() == ".npz":
        return resized(ImageSet.load(path), image_size)
    if path.is_file():
        raise InputError(
            f"{path} is neither a folder nor a .zip nor an .npz file; put the images into a folder with a sub-folder"
            " for each class."
        )
    raise InputError(
        f"There is no data set {str(path)!r}: it is neither one of {', '.join(NAMED_SETS)} nor a path that exists;"
        " name a set, or check the path."
    )
