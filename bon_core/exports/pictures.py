"""The pictures of a snapshot's samples, small, for tools that show them."""

import io
from collections.abc import Iterator

import numpy as np

from bon_core.config import DataConfig, InputError
from bon_core.datasets import load_images
from bon_core.datasets.image_set import ImageSet
from bon_core.runs.run import IMAGES, Run
from bon_core.runs.snapshot import Snapshot


def images_of(run: Run, shot: Snapshot) -> ImageSet | None:
    """The images that a run was trained on or came with; None if there are none, or their files are gone."""
    given = run.path / IMAGES
    if not given.exists() and shot.meta["origin"] != "trained":
        return None
    try:
        return load_images(DataConfig(name=str(given)) if given.exists() else run.config.data)
    except InputError:
        return None


def pictures(images: ImageSet, ids: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """One picture an id, (size, size[, 3]) uint8; a blank one for an id that has none."""
    from PIL import Image

    row_of = {int(identity): row for row, identity in enumerate(images.ids)}
    blank = np.zeros((size, size, *images.images.shape[3:]), np.uint8)
    for identity in ids.tolist():
        row = row_of.get(identity)
        if row is None or images.size == size:
            yield blank if row is None else images.images[row]
        else:
            yield np.asarray(Image.fromarray(images.images[row]).resize((size, size), Image.Resampling.LANCZOS))


def png(picture: np.ndarray) -> bytes:
    """A picture as the bytes of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
