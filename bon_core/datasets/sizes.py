"""Square pictures of another size."""

import dataclasses

import numpy as np

from bon_core.datasets.image_set import ImageSet


def resized(image_set: ImageSet, size: int | None) -> ImageSet:
    """The set with images of `size` pixels a side; None keeps the set's own size."""
    if size is None or size == image_set.size:
        return image_set
    return dataclasses.replace(image_set, images=resize(image_set.images, size))


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """(N, H, H) or (N, H, H, 3) uint8 to (N, size, size) or (N, size, size, 3) uint8, by Lanczos."""
    from PIL import Image

    out = np.empty((len(images), size, size, *images.shape[3:]), dtype=np.uint8)
    for row, pixels in zip(out, images, strict=True):
        row[:] = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))
    return out
