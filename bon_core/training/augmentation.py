"""Augmentation on the device, by kornia."""

from typing import Any

import torch
from torch import Tensor, nn

OF_THE_BATCH = ("order", "forward_input_shape")  # what kornia draws once; all else is one row an image


class Augmentation(nn.Module):
    """Small shifts, turns and scalings for grey images (a mirrored letter is another letter); for colour photographs
    crops, mirroring and mild colour changes."""

    def __init__(self, channels: int):
        super().__init__()
        from kornia import augmentation as ka

        if channels == 1:
            steps: list[nn.Module] = [
                ka.RandomAffine(degrees=8.0, translate=(0.06, 0.06), scale=(0.9, 1.1), shear=4.0, p=1.0)
            ]
        else:
            steps = [
                ka.RandomAffine(degrees=8.0, translate=(0.08, 0.08), scale=(0.85, 1.15), p=1.0),
                ka.RandomHorizontalFlip(p=0.5),
                ka.ColorJitter(0.2, 0.2, 0.2, 0.02, p=0.8),
            ]
        self.steps = nn.Sequential(*steps)

    @torch.no_grad()
    def forward(self, images: Tensor, share: slice | None = None, whole: int = 0) -> Tensor:
        """images (b, channels, H, W) float in [0, 1]: a batch, or the rows `share` of one of `whole`.

        Draws from the global generator, for all rows of the batch: an image looks the same whoever computes it.
        """
        share, whole = share or slice(None), whole or len(images)
        step: Any
        for step in self.steps:
            drawn = step.forward_parameters(torch.Size((whole, *images.shape[1:])))
            for name, values in drawn.items():
                if name not in OF_THE_BATCH:
                    drawn[name] = values[share]
            if len(images):
                images = step(images, params=drawn)
        return images
