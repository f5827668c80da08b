"""The heads of divide and conquer: the last layer, of which each learner trains its own part.

Legend: B batch, F feature width, D embedding width, d width of a learner's slice, K learners, N data set.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bon_core.config import DivisionConfig, TestNorm
from bon_core.division.slices import block_masks, slices


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
        self.dim, self.learners = dim, learners
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
        self.dim, self.learners = dim, learners
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


def build_head(in_features: int, dim: int, division: DivisionConfig) -> SplitHead | MaskedHead:
    """The head that `division` asks for; one learner has no need of a mask."""
    if division.masks == "learned" and division.learners > 1:
        return MaskedHead(in_features, dim, division.learners)
    return SplitHead(in_features, dim, division.learners, division.test_norm)
