"""The pictures of a snapshot's samples, small, for tools that show them."""

from collections.abc import Iterator

import numpy as np

from bon_core.base.ids import rows_of
from bon_core.config import DataConfig, InputError
from bon_core.datasets import load_images
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.sizes import thumbnail
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
    blank = np.zeros((size, size, *images.images.shape[3:]), np.uint8)
    for row in rows_of(images.ids, ids):
        yield blank if row < 0 else thumbnail(images.images[row], size)
