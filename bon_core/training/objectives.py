"""Loss and in-batch miner, both from pytorch-metric-learning, and what they chose, for the audit log.

Any loss runs with any in-batch miner. Miners work on the embedding the loss sees: in the split phase that is one
learner's slice, so that distance weighting uses the slice's own width.
"""

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from bon_core.config import InBatchMiner, Loss, check


@dataclass(frozen=True)
class Outcome:
    """What one batch gave. Rows are anchors; indices point into the batch.

    loss : () float32, with gradient
    positive, negative : (B,) int64, the hardest that the miner chose for the anchor; -1 where it chose none
    d_ap, d_an : (B,) float32, Euclidean; NaN where none was chosen
    active : (B,) bool, the anchor's triplet violates the margin
    """

    loss: Tensor
    positive: Tensor
    negative: Tensor
    d_ap: Tensor
    d_an: Tensor
    active: Tensor


class Objective(nn.Module):
    """Loss on what the in-batch miner chose. Its own parameters (beta of the margin loss) belong in the optimiser."""

    def __init__(self, loss: Loss, in_batch: InBatchMiner, margin: float):
        super().__init__()
        check(loss in get_args(Loss), f"The loss {loss!r} is not known; use one of {', '.join(get_args(Loss))}.")
        self.margin = margin
        self.loss = _loss(loss, margin)
        self.miner = _miner(in_batch, margin)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Outcome:
        """embeddings (B, d) unit rows; labels (B,) int64."""
        chosen = self.miner(embeddings, labels)
        loss = self.loss(embeddings, labels, chosen)
        with torch.no_grad():
            return self._outcome(loss, embeddings.detach(), chosen)

    def _outcome(self, loss: Tensor, embeddings: Tensor, chosen: tuple[Tensor, ...]) -> Outcome:
        size = len(embeddings)
        if len(chosen) == 3:
            anchors, positives, negatives = chosen
            other_anchors = anchors
        else:
            anchors, positives, other_anchors, negatives = chosen
        distance = (2 - 2 * embeddings @ embeddings.T).clamp_min(0).sqrt()  # (B, B)
        positive_pairs = torch.zeros(size, size, dtype=torch.bool, device=embeddings.device)
        negative_pairs = torch.zeros_like(positive_pairs)
        positive_pairs[anchors, positives] = True
        negative_pairs[other_anchors, negatives] = True
        d_ap, positive = distance.masked_fill(~positive_pairs, -torch.inf).max(dim=1)  # (B,)
        d_an, negative = distance.masked_fill(~negative_pairs, torch.inf).min(dim=1)  # (B,)
        has_positive, has_negative = positive_pairs.any(dim=1), negative_pairs.any(dim=1)
        return Outcome(
            loss=loss,
            positive=positive.masked_fill(~has_positive, -1),
            negative=negative.masked_fill(~has_negative, -1),
            d_ap=d_ap.masked_fill(~has_positive, torch.nan),
            d_an=d_an.masked_fill(~has_negative, torch.nan),
            active=has_positive & has_negative & (d_ap - d_an + self.margin > 0),
        )


def _loss(name: Loss, margin: float) -> nn.Module:
    from pytorch_metric_learning import losses

    makers = {
        "triplet": lambda: losses.TripletMarginLoss(margin=margin),
        "margin": lambda: losses.MarginLoss(margin=margin, beta=1.2, learn_beta=True),
        "contrastive": lambda: losses.ContrastiveLoss(pos_margin=0, neg_margin=0.5 + margin),
        "multi-similarity": lambda: losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5),
    }
    return makers[name]()


def _miner(name: InBatchMiner, margin: float) -> nn.Module:
    from pytorch_metric_learning import miners

    makers = {
        "batch-hard": lambda: miners.BatchHardMiner(),
        "semi-hard": lambda: miners.TripletMarginMiner(margin=margin, type_of_triplets="semihard"),
        "distance-weighted": lambda: miners.DistanceWeightedMiner(cutoff=0.5, nonzero_loss_cutoff=1.4),
        "multi-similarity": lambda: miners.MultiSimilarityMiner(epsilon=0.1),
    }
    return makers[name]()
