"""The embedding network: a backbone that turns samples into features, and a head that turns these into unit vectors.

Legend: B batch, D embedding width, d width of a learner's slice, F feature width, K learners.
"""

import torch
from torch import Tensor, nn

from bon_core.config import IMAGE_BACKBONES, DivisionConfig, InputError, NetworkConfig
from bon_core.division.heads import MaskedHead, SplitHead, build_head
from bon_core.networks.backbones import Conv4, EfficientNetLite0, FrozenVectors


class EmbeddingNetwork(nn.Module):
    """A backbone and a head: images or vectors in, unit vectors out.

    Weights are kept channels-last: on a CPU a conv4 step of 128 images then takes two thirds of the time.
    """

    def __init__(self, backbone: nn.Module, head: SplitHead | MaskedHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # which torch's own types lack

    def forward(self, images: Tensor, learner: int | None = None, of: int | None = None) -> Tensor:
        """Embed `images` (B, ch, H, W), float in [0, 1], or vectors (B, F).

        Returns unit vectors: (B, D), or what one `learner` (of so many) sees, (B, d).
        """
        features = self.features(images)
        if features.dtype == torch.bfloat16:  # too coarse for the distances that losses and hashes compare
            features = features.float()
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features, learner, of)

    def features(self, images: Tensor) -> Tensor:
        """The penultimate layer, (B, F), not normalised."""
        return self.backbone(images)


def build_network(network: NetworkConfig, division: DivisionConfig, *, channels: int, seed: int) -> EmbeddingNetwork:
    """A fresh network on the CPU for images of `channels` (1 or 3), or for vectors of as many values.

    The same arguments give the same weights.

    Raises
    ------
    InputError
        If the backbone is not installed or takes no such samples, or K learners do not fit D dimensions.
    """
    name = network.backbone
    if name == "auto":
        name = "conv4" if channels in (1, 3) else "linear"
    if name in IMAGE_BACKBONES and channels not in (1, 3):
        raise InputError(f"The backbone {name} takes images, but these are vectors; take linear or mlp.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone: Conv4 | EfficientNetLite0 | FrozenVectors
        if name == "conv4":
            backbone = Conv4(channels)
        elif name == "efficientnet-lite0":
            backbone = EfficientNetLite0()
        else:
            backbone = FrozenVectors(channels, network.dropout, hidden=2 * channels if name == "mlp" else 0)
        return EmbeddingNetwork(backbone, build_head(backbone.width, network.dim, division))
