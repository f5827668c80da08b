"""Loss and in-batch miner, both from pytorch-metric-learning, and what they chose, for the audit log.

Any loss runs with any in-batch miner, inside the batch or over a memory of the latest ones. Miners work on the
embedding the loss sees: in the split phase that is one learner's slice, so that distance weighting uses the slice's
own width.

Legend: B batch, d width of the embedding that the loss sees, M embeddings remembered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from bon_core.config import InBatchMiner, Loss, check
from bon_core.training.losses import FIRST_BETA, REACH


@dataclass(frozen=True)
class MinedPairs:
    """What one batch gave. Rows are anchors.

    loss : () float32, with gradient
    positive, negative : (B,) int64, id of the hardest that the miner chose for the anchor; -1 where it chose none
    d_ap, d_an : (B,) float32, Euclidean; NaN where none was chosen
    active : (B,) bool, the anchor's triplet violates the margin: d_ap - d_an + margin > 0, whatever the loss. Only the
        triplet loss is zero without; `bon_core.training.losses` says which anchors another loss still costs
    """

    loss: Tensor
    positive: Tensor
    negative: Tensor
    d_ap: Tensor
    d_an: Tensor
    active: Tensor


class MetricLoss(nn.Module):
    """Loss on what the in-batch miner chose. Its own parameters (beta of the margin loss) belong in the optimiser.

    Parameters
    ----------
    loss, in_batch : names of the config, or modules of pytorch-metric-learning or alike: a loss is called with
        embeddings, labels and what the miner chose; without a miner (None) it takes all pairs of the batch
    margin : by which a negative is to be farther than a positive; for the record where modules have their own
    memory : M; with M > 0 positives and negatives come out of the M latest embeddings (XBM, Wang et al., CVPR 2020)
    widths : with a memory, the width d of the whole embedding, then of each learner's slice: each has its own memory
    """

    loss: Callable[..., Tensor]
    miner: Callable[..., tuple[Tensor, ...]] | None

    def __init__(
        self,
        loss: Loss | Callable[..., Tensor],
        in_batch: InBatchMiner | Callable[..., tuple[Tensor, ...]] | None = None,
        margin: float = 0.2,
        *,
        memory: int = 0,
        widths: Sequence[int] = (),
    ):
        super().__init__()
        if isinstance(loss, str):
            check(loss in get_args(Loss), f"The loss {loss!r} is not known; use one of {', '.join(get_args(Loss))}.")
            loss = _loss(loss, margin)
        self.margin = margin
        self.loss = loss
        self.miner = _miner(in_batch, margin) if isinstance(in_batch, str) else in_batch
        self.memories = nn.ModuleList(Memory(memory, width) for width in widths if memory)

    @property
    def beta(self) -> Tensor | None:
        """() the boundary of the margin loss as it is now; None with another loss."""
        beta = getattr(self.loss, "beta", None)
        return beta.detach().mean() if isinstance(beta, Tensor) else None

    def forward(self, embeddings: Tensor, labels: Tensor, ids: Tensor, learner: int | None = None) -> MinedPairs:
        """embeddings (B, d) unit rows; labels and ids (B,) int64; `learner` says whose slice this is, None: whole."""
        if not self.memories:
            chosen = None if self.miner is None else self.miner(embeddings, labels)
            loss = self.loss(embeddings, labels) if chosen is None else self.loss(embeddings, labels, chosen)
            if chosen is None:
                chosen = _all_pairs(labels)
            return self._mined(loss, embeddings, chosen, embeddings, ids)
        memory = self.memories[0 if learner is None else 1 + learner]
        assert isinstance(memory, Memory) and self.miner is not None
        slots = memory.add(embeddings, labels, ids)
        remembered = memory.embeddings[: memory.filled], memory.labels[: memory.filled]
        chosen = without_oneself(self.miner(embeddings, labels, *remembered), slots)
        loss = self.loss(embeddings, labels, chosen, *remembered)
        return self._mined(loss, embeddings, chosen, remembered[0], memory.ids[: memory.filled])

    @torch.no_grad()
    def _mined(
        self, loss: Tensor, embeddings: Tensor, chosen: tuple[Tensor, ...], others: Tensor, other_ids: Tensor
    ) -> MinedPairs:
        """`chosen` are triplets or pairs of PML: rows of `embeddings`, and of `others` (n, d) with ids (n,)."""
        if len(chosen) == 3:
            anchors, positives, negatives = chosen
            other_anchors = anchors
        else:
            anchors, positives, other_anchors, negatives = chosen
        distance = (2 - 2 * embeddings @ others.T).clamp_min(0).sqrt()  # (B, n)
        positive_pairs = torch.zeros_like(distance, dtype=torch.bool)
        negative_pairs = torch.zeros_like(positive_pairs)
        positive_pairs[anchors, positives] = True
        negative_pairs[other_anchors, negatives] = True
        d_ap, positive = distance.masked_fill(~positive_pairs, -torch.inf).max(dim=1)  # (B,)
        d_an, negative = distance.masked_fill(~negative_pairs, torch.inf).min(dim=1)  # (B,)
        has_positive, has_negative = positive_pairs.any(dim=1), negative_pairs.any(dim=1)
        return MinedPairs(
            loss=loss,
            positive=other_ids[positive].masked_fill(~has_positive, -1),
            negative=other_ids[negative].masked_fill(~has_negative, -1),
            d_ap=d_ap.masked_fill(~has_positive, torch.nan),
            d_an=d_an.masked_fill(~has_negative, torch.nan),
            active=has_positive & has_negative & (d_ap - d_an + self.margin > 0),
        )


class Memory(nn.Module):
    """Ring of the M latest embeddings, detached, with labels and ids.

    PML's own CrossBatchMemory keeps its position in the ring out of its state and tells nobody what it chose: no
    resume, no audit.
    """

    embeddings: Tensor
    labels: Tensor
    ids: Tensor

    def __init__(self, size: int, width: int):
        super().__init__()
        self.size, self.seen = size, 0
        self.register_buffer("embeddings", torch.zeros(size, width))
        self.register_buffer("labels", torch.full((size,), -1))
        self.register_buffer("ids", torch.full((size,), -1))

    @property
    def filled(self) -> int:
        """How many slots are taken; they are the first ones."""
        return min(self.seen, self.size)

    @torch.no_grad()
    def add(self, embeddings: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
        """Put a batch in the place of the oldest; returns the slots (B,) int64."""
        slots = torch.arange(self.seen, self.seen + len(ids), device=ids.device) % self.size
        self.embeddings[slots], self.labels[slots], self.ids[slots] = embeddings.float(), labels, ids
        self.seen += len(ids)
        return slots

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.seen)

    def set_extra_state(self, state: Tensor) -> None:
        self.seen = int(state)


def without_oneself(chosen: tuple[Tensor, ...], slots: Tensor) -> tuple[Tensor, ...]:
    """PML's triplets or pairs without those whose positive is the anchor itself; slots (B,) of anchors in memory."""
    others = slots[chosen[0]] != chosen[1]
    if len(chosen) == 3:
        return tuple(part[others] for part in chosen)
    return chosen[0][others], chosen[1][others], *chosen[2:]


def _all_pairs(labels: Tensor) -> tuple[Tensor, ...]:
    """Every pair of the batch as PML writes pairs: anchor and positive, anchor and negative."""
    same = labels[:, None] == labels
    return (*torch.nonzero(same.fill_diagonal_(False)).T, *torch.nonzero(labels[:, None] != labels).T)


def _loss(name: Loss, margin: float) -> nn.Module:
    from pytorch_metric_learning import losses

    makers = {
        "triplet": lambda: losses.TripletMarginLoss(margin=margin),
        "margin": lambda: losses.MarginLoss(margin=margin, beta=FIRST_BETA, learn_beta=True),
        "contrastive": lambda: losses.ContrastiveLoss(pos_margin=0, neg_margin=REACH + margin),
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
