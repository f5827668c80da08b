"""Data sets: `load_data` for whatever can be trained on, `load_images` for pictures alone, `load_vectors` for ready
embeddings to explore. Nothing here imports torch.
"""

from collections.abc import Callable
from pathlib import Path

from bon_core.base.files import path_of
from bon_core.config import DataConfig, InputError, check
from bon_core.datasets import folder, glyphs, huggingface, omniglot
from bon_core.datasets.here import is_here
from bon_core.datasets.image_files import SUFFIXES
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.remedies import data_remedy
from bon_core.datasets.sizes import resized
from bon_core.datasets.splits import hold_out
from bon_core.datasets.vector_set import VectorSet
from bon_core.datasets.vectors import holds_vectors, load_vector_set, load_vectors

__all__ = [
    "NAMED_SETS",
    "ImageSet",
    "VectorSet",
    "holds_vectors",
    "is_here",
    "lasting_name",
    "load_data",
    "load_images",
    "load_vectors",
]

NAMED_SETS: dict[str, Callable[[str | None, int | None], ImageSet]] = {"glyphs": glyphs.load, "omniglot": omniglot.load}

HOLD_OUT_SEED = 0  # the validation classes are part of the data, not of a run's chance


def load_data(data: DataConfig) -> ImageSet | VectorSet:
    """The images or the vectors that `data` names, with its hold-out set aside.

    Raises
    ------
    InputError
        As `load_images` and `vectors.load_vector_set` do; or if vectors are to have an image size.
    """
    if data.name in NAMED_SETS or huggingface.named(data.name) or not holds_vectors(path_of(data.name)):
        return load_images(data)
    check(data.image_size is None, f"{data.name} holds vectors, which have no image size; leave --image-size out.")
    check(data.class_level is None, f"{data.name} has no folders of classes; leave --class-level out.")
    vectors = load_vector_set(data.name)
    return hold_out(vectors, data.holdout, HOLD_OUT_SEED) if data.holdout > 0 else vectors


def load_images(data: DataConfig) -> ImageSet:
    """The images that `data` names, at its image size and with its hold-out set aside.

    Parameters
    ----------
    data : `name` is "glyphs" or "omniglot" (`path` then says where it lies, if not in its usual place), the path of an
        image folder, a .zip of one, or an .npz that ImageSet.save wrote, or hf:NAME of a Hugging Face data set

    Raises
    ------
    InputError
        If there is no such set or path, or what lies there cannot be read.
    """
    if data.name in NAMED_SETS:
        images = NAMED_SETS[data.name](data.path, data.image_size)
    elif huggingface.named(data.name):
        images = huggingface.load(data.name, data.image_size)
    else:
        images = _load_path(path_of(data.name), data)
    folders = data.name not in NAMED_SETS and path_of(data.name).suffix.lower() != ".npz"
    check(
        data.class_level is None or (folders and not huggingface.named(data.name)),
        f"{data.name} has no folders of classes; leave --class-level out.",
    )
    return hold_out(images, data.holdout, HOLD_OUT_SEED) if data.holdout > 0 else images


def lasting_name(name: str) -> str:
    """`name` so that it holds in any folder: of what lies here, the whole path."""
    start = huggingface.PREFIX if huggingface.named(name) else ""
    place, *options = name.removeprefix(start).split(",") if start else [name]
    here = name not in NAMED_SETS and path_of(place).exists()
    return ",".join([f"{start}{path_of(place).resolve()}", *options]) if here else name


def _load_path(path: Path, data: DataConfig) -> ImageSet:
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip"):
        return folder.load(path, data.image_size, data.class_level)
    if path.is_file() and path.suffix.lower() == ".npz":
        check(
            not holds_vectors(path),
            f"{path} holds vectors and is not an image set; name it where vectors are asked for.",
        )
        return resized(ImageSet.load(path), data.image_size)
    if path.is_file():
        picture = path.suffix.lower() in SUFFIXES
        raise InputError(f"{path} is neither a folder nor a .zip nor an .npz file; {data_remedy(path, picture)}.")
    raise InputError(
        f"There is no data set {str(path)!r}: it is neither one of {', '.join(NAMED_SETS)} nor a path that exists;"
        " name a set, or check the path."
    )
