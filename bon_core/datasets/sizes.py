"""Square pictures of another size, and as files."""

import dataclasses
import io

import numpy as np

from bon_core.datasets.image_set import ImageSet


def resized(image_set: ImageSet, size: int | None) -> ImageSet:
    """The set with images of `size` pixels a side; None keeps the set's own size."""
    if size is None or size == image_set.size:
        return image_set
    return dataclasses.replace(image_set, images=resize(image_set.images, size))


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """(N, H, H) or (N, H, H, 3) uint8 to (N, size, size) or (N, size, size, 3) uint8, by Lanczos."""
    out = np.empty((len(images), size, size, *images.shape[3:]), dtype=np.uint8)
    for row, pixels in zip(out, images, strict=True):
        row[:] = thumbnail(pixels, size)
    return out


def thumbnail(image: np.ndarray, size: int) -> np.ndarray:
    """One square image, (H, H) or (H, H, 3) uint8, with `size` pixels a side, by Lanczos; itself if it has them."""
    if len(image) == size:
        return image
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def png(image: np.ndarray) -> bytes:
    """An image (H, W) or (H, W, 3) uint8 as the bytes of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=4)  # twice as fast as 6, hardly larger
    return file.getvalue()
