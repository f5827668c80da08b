"""Bag of Negatives: hard negatives for metric learning by online hashing, O(1) in the size of the data set.

After "Fast hard negative mining for deep metric learning" (Pattern Recognition 2021) and "Bag of Negatives for Siamese
Architectures" (BMVC 2019), reimplemented from their published abstracts. A hasher that learns beside the network sends
each embedding to one of 2^S buckets; samples of one bucket are near each other, so the other classes in it are hard.
The next batch is composed out of the buckets of a few uniformly drawn seeds, for any loss and any in-batch miner.

    bag = BagOfNegatives(labels, dim=128, device="cuda")
    ids = bag.compose(classes=32, images=4, groups=8)
    ...forward, loss, step...
    bag.update(ids, embeddings)

Legend: N samples, B batch, D embedding width, S bits, C bucket capacity, P classes a batch, m images a class, G groups.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bon_core.config import InputError
from bon_core.mining import codes as coding
from bon_core.mining.buckets import MAX_SLOTS, PROBED_SLOTS, BucketTable
from bon_core.mining.hashing import OnlineHasher, RandomHyperplanes
from bon_core.mining.inputs import (
    MOST_WIDE,
    accept_ids,
    accept_rows,
    accept_seeds,
    check_state,
    usable_device,
    whole,
)
from bon_core.mining.layout import (
    RECENT,
    BatchLayout,
    ClassIndex,
    ServedRates,
    accept_given_seeds,
    choose_mates,
    draw_images,
    draw_seeds,
    lay_out,
    spaced,
    uniform,
)
from bon_core.mining.lock import Lock, one_at_a_time

HASHERS = {"autoencoder": OnlineHasher, "lsh": RandomHyperplanes}
OCCUPANCY = 32  # samples a bucket that the default number of bits aims at
HEADROOM = 4  # capacity over mean occupancy
LOW_ENTROPY = 0.8  # of S bits: below, samples crowd in few buckets


class BagOfNegatives:
    """BatchMiner of hard batches, and source of hard negatives.

    Ids are positions 0..N-1 in `labels`. The update costs no forward pass: it re-buckets the samples just embedded.
    Threads take turns: a call is whole before the next begins, and `last` is the latest of any of them.
    On a GPU neither `compose` nor `update` waits, and a CUDA graph captures both once they have run in their shape:
    register `generator` with it. Each replay then draws a new batch into the ids that the captured `compose` gave.

    Parameters
    ----------
    labels : (N,) integers from 0 on, or texts; the class of each sample. A pandas column counts by position
    dim : D
    bits : S; default clamp(round(log2(N / 32)), 4, 20)
    capacity : C; default four times the mean, N / 2^S, rounded up to a multiple of 8, which indexes practically all
        samples unless buckets are very uneven
    device : where tables live; batches come from there
    seed : of the bag's own generator
    hasher : "autoencoder", or "lsh" for random hyperplanes
    hamming : look in the S buckets at Hamming distance 1 as well before falling back to random
    warn : say once, by `warnings.warn`, when samples crowd in few buckets; on a GPU only `stats` tells

    Attributes
    ----------
    last : the latest BatchLayout, with roles, groups and buckets of its rows

    Raises
    ------
    InputError
        If labels, bits or capacity cannot be used.
    """

    def __init__(
        self,
        labels: Tensor | np.ndarray | Sequence[int] | Sequence[str],
        dim: int = 128,
        bits: int | None = None,
        capacity: int | None = None,
        device: torch.device | str = "cpu",
        seed: int = 0,
        hasher: Literal["autoencoder", "lsh"] = "autoencoder",
        hamming: bool = False,
        warn: bool = True,
    ):
        if not isinstance(hasher, str) or hasher not in HASHERS:
            raise InputError(f"The hasher is {hasher!r}, but must be one of {', '.join(HASHERS)}; take one.")
        self.device, self.dim, self.hamming = (
            usable_device(device),
            whole(dim, "width dim", 1, MOST_WIDE),
            bool(hamming),
        )
        device, dim, seed = self.device, self.dim, whole(seed, "seed", 0, 2**63 - 1)
        self._lock = Lock()
        self.index = ClassIndex(labels, device)
        count = self.index.count
        bits = default_bits(count) if bits is None else whole(bits, "number of bits", 1, 30)
        capacity = default_capacity(count, bits) if capacity is None else whole(capacity, "capacity", 1, MAX_SLOTS)
        self.table = BucketTable(count, bits, capacity, device)
        self.generator = torch.Generator(device).manual_seed(seed)
        self.hasher = HASHERS[hasher](dim, bits, generator=self.generator, device=device)
        self.last: BatchLayout | None = None
        self._warns, self._rows = warn, 0  # rows that came back
        self._flips = 1 << torch.arange(bits, device=device)
        self._latest_codes = torch.full_like(self.index.size, -1)  # the latest code in each class
        self._drawn = torch.ones(count + 1, dtype=torch.bool, device=device)  # uniformly, when last composed
        self._drawn[count] = False
        self._served = ServedRates(device)
        self._unchanged = torch.zeros(2, device=device)  # codes that stayed the same, codes that were known; fading
        self._refused = torch.zeros((), dtype=torch.int64, device=device)  # rows that were nobody's

    @one_at_a_time
    def compose(
        self,
        classes: int = 32,
        images: int = 4,
        groups: int = 8,
        mate_share: float = 1.0,
        *,
        seeds: Tensor | np.ndarray | None = None,
    ) -> Tensor:
        """The next batch: ids (classes * images,) int64 of exactly `classes` distinct classes, class after class.

        `groups` seeds are drawn uniformly; mates out of their buckets, with distinct classes, take `mate_share` of the
        other places; random classes take the rest. Each seed and mate is the first of its class's images, which are
        distinct unless the class has fewer than `images`. `last` tells who is what.

        `seeds` (n,), n up to `groups`, are samples to lead the batch in the place of as many drawn ones, for a look at
        what a sample would meet. The hasher does not take them for uniformly drawn.

        Raises
        ------
        InputError
            If the data set has too few classes of two images or more, the shape is not possible, or a seed given is
            the only sample of its class.
        """
        shape = self.index.shape(classes, images, groups, mate_share)
        given = None if seeds is None else accept_given_seeds(self.index, seeds, groups)
        with torch.inference_mode():  # a tenth faster than no_grad
            seeds = draw_seeds(self.index, groups, self.generator, given)
            candidates, order = self._near(self._own_or_borrowed(seeds))
            mates = choose_mates(self.index, seeds, candidates, order, shape.mates)
            drawn = lay_out(self.index, seeds, mates, shape, self.generator, self.table.codes_of)
            by_chance = drawn.source < groups
            if given is not None:
                by_chance &= drawn.source >= len(given)
            self._drawn[drawn.ids.view(classes, images)] = by_chance[:, None]
            if shape.mates:
                self._served.note_mates(mates == self.index.count, groups)
        self.last = replace(drawn, ids=drawn.ids.clone())  # an index that autograd may keep
        return self.last.ids

    @one_at_a_time
    @torch.inference_mode()
    def update(self, ids: Tensor | np.ndarray, embeddings: Tensor | np.ndarray, seeds: Tensor | None = None) -> None:
        """Train the hasher on embeddings (B, dim), unit or not, and re-bucket exactly `ids` (B,).

        Of equal ids the highest code counts. The hasher learns from uniformly drawn rows only: `seeds` (B,) bool says
        which these are; by default they are the samples that were last composed as images of a seed's class, or never
        composed (your own uniform batches). So batches may come back late, in parts or in another order.

        Raises
        ------
        InputError
            If shapes disagree, an id is out of range or a value is not finite; nothing has changed then. A CUDA device
            cannot raise without waiting, so there such rows are left out and counted in `stats()["refused_rows"]`.
        """
        ids, vectors = accept_rows(ids, embeddings, self.index.count, self.dim, self.device)
        weights = self._drawn.index_select(0, ids)
        if seeds is not None:
            weights = (ids < self.index.count) & accept_seeds(seeds, len(ids), self.device)
        self._insert(ids, self.hasher.learn(vectors, weights.float()))
        if self._warns and self.device.type == "cpu":  # a GPU would have to be waited for
            self._watch(len(ids))

    @one_at_a_time
    @torch.inference_mode()
    def rehash(self, ids: Tensor, embeddings: Tensor) -> None:
        """Re-bucket `ids` as `update` does, but leave the hasher as it is: for a pass over samples in any order."""
        ids, vectors = accept_rows(ids, embeddings, self.index.count, self.dim, self.device)
        self._insert(ids, self.hasher.codes(vectors))

    @one_at_a_time
    @torch.no_grad()
    def negatives(self, ids: Tensor, k: int = 8) -> tuple[Tensor, Tensor]:
        """For each anchor of `ids` (B,), k distinct samples of other classes: (B, k) int64, and found (B, k) bool.

        Those found come from the anchor's bucket in random order, then, with `hamming`, from the buckets next to it.
        Where these have fewer than k, random samples follow, with found False.

        Raises
        ------
        InputError
            If an id is out of range, or the largest class leaves fewer than k others.
        """
        index, table = self.index, self.table
        self._check_negatives(k)
        ids = accept_ids(ids, index.count, self.device)
        if not len(ids):
            return ids.new_empty(0, k), ids.new_empty(0, k, dtype=torch.bool)
        own = index.label[ids]
        codes = table.codes_of(ids)
        near, order = self._near(codes)
        order = torch.where((near < index.count) & (index.label[near] != own[:, None]), order, torch.inf)
        far = self._far(own, k)
        looked_in = self._looked_in(codes).view(len(ids), 1, -1)
        listed = (table.codes_of(far)[:, :, None] == looked_in).any(2) & table.holds(far)  # (B, k)
        behind = torch.where(listed, torch.inf, 2 + torch.arange(k, device=self.device))  # (B, k)
        order, column = torch.cat((order, behind), 1).topk(k, dim=1, largest=False)
        found = order < 2
        self._served.note_mates(~found.t().reshape(-1), len(ids))
        return torch.cat((near, far), 1).gather(1, column), found

    @one_at_a_time
    @torch.no_grad()
    def triplets(self, count: int, k: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Anchors (count,), uniform; positives (count,) of their classes; `negatives` and found, both (count, k)."""
        count = whole(count, "number of triplets", 1, 2**31)
        self._check_negatives(k)
        pairs = draw_images(self.index, draw_seeds(self.index, count, self.generator), 2, self.generator)  # (count, 2)
        negatives, found = self.negatives(pairs[:, 0], k)
        self._drawn[negatives] = False
        self._drawn[pairs] = True
        return pairs[:, 0], pairs[:, 1], negatives, found

    @property
    def codes(self) -> Tensor:
        """(N,) int64, latest code of each sample, -1 where it was not seen yet."""
        return self.table.codes_of(torch.arange(self.index.count, device=self.device))

    def bucket(self, code: int) -> Tensor:
        """Ids in the bucket of `code`, ascending, int64."""
        code = whole(code, f"code of {self.table.bits} bits", 0, self.table.nowhere - 1)
        entries = self.table.read(torch.tensor([code], device=self.device))
        return entries[entries < self.index.count].sort().values

    @one_at_a_time
    def stats(self) -> dict[str, float]:
        """Health of the bag. The only call that waits for the device, and O(N); rates fade over about 50 steps.

        entropy, entropy_share : of the buckets over all samples seen, in bits, and divided by S; a fall is a collapse
        occupancy : mean number of samples in a bucket that has any
        empty_share : share of buckets without a sample
        indexed_share : share of the samples seen that a bucket holds; the others were overwritten
        fallback_rate : share of mate places (or negatives) that no bucket could serve
        unserved_rate : share of seeds (or anchors) without a single one
        staleness : share of known codes that turned out different when their sample was embedded again
        bits, capacity : S and C
        singleton_classes : classes of one image, never composed
        unseen_classes : classes of two images or more of which no sample has come back yet: on a long tail, where seeds
            are uniform over samples, small classes may wait for many batches; `groups` below `classes`, or a smaller
            `mate_share`, lets more random classes in
        refused_rows : rows of updates with an id out of range or a value not finite (CUDA only)
        """
        codes = self.codes.cpu().numpy()
        held = self.table.holds(torch.arange(self.index.count, device=self.device)).cpu().numpy()
        seen_rows = codes >= 0
        bits, seen = self.table.bits, int(seen_rows.sum())
        sizes = coding.bucket_sizes(codes[held], bits)
        entropy = coding.entropy(codes, bits)
        unchanged, known = self._unchanged.tolist()
        return {
            "entropy": entropy,
            "entropy_share": entropy / bits,
            "occupancy": float(sizes.sum() / max((sizes > 0).sum(), 1)),
            "empty_share": float((sizes == 0).mean()),
            "indexed_share": float(held.sum() / max(seen, 1)),
            **self._served.stats(),
            "staleness": 1 - unchanged / known if known else 0.0,
            "bits": float(bits),
            "capacity": float(self.table.capacity),
            "singleton_classes": float(self.index.singletons),
            "unseen_classes": float(self.index.unseen(seen_rows)),
            "refused_rows": float(self._refused),
        }

    @one_at_a_time
    def state_dict(self) -> dict[str, Tensor]:
        """All that decides what comes next, as named tensors; a bag that loads it goes on bit by bit the same."""
        parts = {"table": self.table.state_dict(), "hasher": self.hasher.state_dict(), "bag": self._tensors()}
        state = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
        return {name: tensor.clone() for name, tensor in state.items()} | {"generator": self.generator.get_state()}

    @one_at_a_time
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from `state_dict`.

        Raises
        ------
        InputError
            If the state is of another number of samples, bits, capacity or width, or torn; nothing has changed then.
        """
        remedy = "load it with the same labels, width, bits, capacity and hasher"
        check_state(state, self.state_dict(), self.generator, "bag", remedy)
        for part, load in (("table.", self.table.load_state_dict), ("hasher.", self.hasher.load_state_dict)):
            load({name.removeprefix(part): tensor for name, tensor in state.items() if name.startswith(part)})
        for name, tensor in self._tensors().items():
            tensor.copy_(state[f"bag.{name}"])
        self.generator.set_state(state["generator"].cpu())

    def _watch(self, rows: int) -> None:
        """Four times in N rows: warn once when samples crowd in few buckets, in the first N only if in very few."""
        looks = 4 * self._rows // self.index.count
        self._rows += rows
        if 4 * self._rows // self.index.count == looks:
            return
        share = coding.entropy(self.codes.cpu().numpy(), self.table.bits) / self.table.bits
        if share < LOW_ENTROPY / (1 if self._rows >= self.index.count else 2):
            self._warns = False
            text = (
                f"The buckets' entropy is {share:.0%} of what {self.table.bits} bits hold, where {LOW_ENTROPY:.0%} is"
                " the least that is healthy: seeds and mates come out of few buckets, and the embedding may collapse;"
                " let the share of mates grow slowly (mate_ramp of MinedBatchSampler, or mate_share of compose), lower"
                " the learning rate, or give fewer bits."
            )
            warnings.warn(text.replace("%", " %"), stacklevel=5)

    def _check_negatives(self, k: int) -> None:
        others = self.index.count - self.index.largest
        if not 1 <= whole(k, "number of negatives k", 0, 2**31) <= others:
            raise InputError(
                f"{k} negatives an anchor are not possible: the largest class leaves {others} samples of other classes;"
                " lower k."
            )

    def _tensors(self) -> dict[str, Tensor]:
        return {
            "drawn": self._drawn,
            "latest_codes": self._latest_codes,
            "served": self._served.tally,
            "unchanged": self._unchanged,
            "refused": self._refused,
        }

    def _insert(self, ids: Tensor, codes: Tensor) -> None:
        if self.device.type != "cpu":  # where rows may have been refused
            refused = ids == self.index.count
            self._refused += refused.sum()
            codes = torch.where(refused, self.table.nowhere, codes)
        self._latest_codes.scatter_reduce_(0, self.index.label.index_select(0, ids), codes, "amax", include_self=False)
        before = self.table.insert(ids, codes)
        flags = torch.stack((before == codes, before >= 0)).float()
        self._unchanged.addmv_(flags, torch.ones(len(ids), device=self.device), beta=RECENT)

    def _own_or_borrowed(self, seeds: Tensor) -> Tensor:
        """Codes (G,) of the seeds; where they have none yet, of a classmate's latest embedding; else -1."""
        codes = self.table.codes_of(seeds)
        return torch.where(codes < 0, self._latest_codes.take(self.index.label.index_select(0, seeds)), codes)

    def _near(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (n, K) out of the buckets `codes` (n,), nobody among them, and an order: own bucket first."""
        entries = self.table.read(self._looked_in(codes)).view(len(codes), -1)
        order = uniform(tuple(entries.shape), self.generator, self.device, torch.float32)
        if self.hamming:
            order[:, self.table.capacity :] += 1
            order /= 2
        return entries, order

    def _looked_in(self, codes: Tensor) -> Tensor:
        """Buckets to look in for the neighbours of `codes` (n,): these; with `hamming`, (n, 1 + S) of them."""
        if not self.hamming:
            return codes
        codes = codes[:, None]
        return torch.where(codes < 0, -1, torch.cat((codes, codes ^ self._flips), 1))

    def _far(self, own: Tensor, k: int) -> Tensor:
        """k distinct random samples of other classes than `own` (B,): (B, k) int64."""
        start, size = self.index.start[own, None], self.index.size[own, None]  # (B, 1)
        drawn = spaced(self.index.count - size, k, self.generator)
        return self.index.members[drawn + size * (drawn >= start)]


def default_bits(count: int) -> int:
    """S for N = `count` samples: about 32 of them a bucket, 4 to 20 bits."""
    return min(max(round(math.log2(count / OCCUPANCY)), 4), 20)


def default_capacity(count: int, bits: int) -> int:
    """C: four times what a bucket holds on average, in whole blocks."""
    return PROBED_SLOTS * math.ceil(HEADROOM * count / (1 << max(bits, 0)) / PROBED_SLOTS)
