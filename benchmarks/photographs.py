"""Photographs for benchmarks: an .npz of encoded pictures, and frozen ImageNet features of several views of each.

The sets that benchmarks use are for research and do not come with this project. A file holds `data` (uint8, all encoded
pictures one after the other), `offset` (n + 1,) and `label` (n,); the first half of the classes is for training.
"""

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bon_core.base.files import whole_file
from bon_core.networks.backbones import EfficientNetLite0
from bon_core.networks.embedding import embed

VIEWS = 4  # as they are, mirrored, and a crop of each
CROP = 0.86  # of a side


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, H, W, 3) uint8 and labels (n,) int64 of an .npz of encoded pictures."""
    with np.load(path) as file:
        data, offset, labels = file["data"], file["offset"], file["label"].astype(np.int64)
    pictures = [Image.open(io.BytesIO(data[a:b].tobytes())).convert("RGB") for a, b in pairwise(offset)]
    return np.stack([np.asarray(picture) for picture in pictures]), labels


def features(path: Path, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (VIEWS, n, 1280) float16 of a frozen EfficientNet-Lite0, and labels (n,); computed once, then cached."""
    kept = cache / f"{path.stem}-lite0.npz"
    if not kept.exists():
        images, labels = read(path)
        network: Any = Frozen()
        views = [embed(network, view, device="cpu", feature="penultimate") for view in _views(images)]
        cache.mkdir(parents=True, exist_ok=True)
        with whole_file(kept) as temporary:
            np.savez(temporary, features=np.stack(views).astype(np.float16), labels=labels)
    with np.load(kept) as file:
        return file["features"], file["labels"]


class Frozen(EfficientNetLite0):
    """The backbone by itself, with the face that `embed` wants."""

    def features(self, images):
        return self(images)


def _views(images: np.ndarray) -> list[np.ndarray]:
    side = images.shape[1]
    edge = round(side * (1 - CROP) / 2)
    inner = images[:, edge : side - edge, edge : side - edge]
    crops = np.stack(
        [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)) for image in inner]
    )
    return [images, images[:, :, ::-1], crops, crops[:, :, ::-1]]
