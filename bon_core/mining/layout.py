"""From seeds and their hard neighbours to a batch: the part that every batch miner shares.

A batch has P distinct classes of m images each. Some classes come in through a *seed* sample, some through a *mate* of
a seed (from its bucket in Bag of Negatives, an exact neighbour in a peer), the rest are *filled* at random. Who may be
a mate is all that batch miners differ in.

Legend: N samples, P classes a batch, m images a class, G seeds (groups), K candidates a seed.
All shapes are fixed and nothing waits for the device. Sample N is *nobody*: its class is none of the data set's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bon_core.config import InputError, check
from bon_core.mining.inputs import accept_ids, accept_labels, whole

SEED, MATE, FILL = 0, 1, 2  # roles of a class in a batch
RECENT = 0.98  # memory of the reported rates: about the last 50 steps
SPARE = 64  # random classes drawn beyond four times the batch's: too few distinct ones has a chance below 1e-30


@dataclass(frozen=True, kw_only=True)
class BatchLayout:
    """A batch, and why each row is in it. The m rows of a class follow each other, its seed or mate first.

    ids : (P m,) int64
    source : (P,) int64, where each class was found in the list of seeds, then mates, then random samples
    seeds, guided : length of the list's first part, and of its first two
    codes : (P,) bucket code of each class's first row when it was drawn; -1 where there is none
    """

    ids: Tensor
    source: Tensor
    seeds: int
    guided: int
    codes: Tensor

    @property
    def roles(self) -> Tensor:
        """(P m,) uint8: SEED, MATE or FILL."""
        return self._rows((self.source >= self.seeds).to(torch.uint8) + (self.source >= self.guided))

    @property
    def groups(self) -> Tensor:
        """(P m,) int64: number of the seed that brought the class in, -1 for a random one."""
        return self._rows(torch.where(self.source < self.guided, self.source % max(self.seeds, 1), -1))

    @property
    def buckets(self) -> Tensor:
        """(P m,) int64: code of the bucket that the seed or mate was found in, -1 for a random class."""
        return self._rows(torch.where(self.source < self.guided, self.codes.long(), -1))

    def _rows(self, values: Tensor) -> Tensor:
        return values.repeat_interleave(len(self.ids) // len(self.source))


@dataclass(frozen=True)
class BatchShape:
    """P classes of m images, led by G seeds; `mates` of the P - G other classes are mates if the seeds have enough."""

    classes: int
    images: int
    groups: int
    mates: int

    @classmethod
    @lru_cache(maxsize=64, typed=True)
    def of(cls, classes: int, images: int, groups: int, mate_share: float) -> "BatchShape":
        """The shape, if it is possible; see `ClassIndex.shape`."""
        for value, what in ((classes, "number of classes"), (images, "number of images"), (groups, "number of groups")):
            whole(value, what, -(2**31), 2**31)
        if classes < 1 or images < 1 or not 1 <= groups <= classes:
            raise InputError(
                f"A batch of {classes} classes, {images} images and {groups} groups is not possible;"
                " give at least one of each and no more groups than classes."
            )
        if isinstance(mate_share, bool) or not isinstance(mate_share, (Real, np.number)) or not 0 <= mate_share <= 1:
            raise InputError(
                f"The share of bucket mates is {mate_share!r}, but a share lies between 0 and 1; give such a number."
            )
        return cls(classes, images, groups, round(mate_share * (classes - groups)))


class ClassIndex:
    """Which samples belong to which class, for drawing in O(1); classes of one image cannot give a positive pair.

    Classes are renumbered so that those with two images or more come first: 0..eligible-1.

    Parameters
    ----------
    labels : (N,) integers from 0 on, gaps allowed, or what else `accept_labels` takes

    Attributes
    ----------
    label : (N + 1,) int64, class of each sample, and of nobody
    members : (N,) int64, samples sorted by class
    position : (N + 1,) int64, where in `members` a sample stands
    start, size : (classes + 1,) int64, where in `members` a class stands
    eligible : number of classes with two images or more
    pool : number of samples in them
    singletons : number of classes with a single image

    Raises
    ------
    InputError
        If labels are not one integer from 0 on or one text a sample, or no class has two images.
    """

    def __init__(self, labels: Any, device: torch.device | str = "cpu"):
        labels = accept_labels(labels)  # sorted where they are: 100 million take a GPU a moment
        _, label, size = labels.unique(return_inverse=True, return_counts=True)
        by_size = (size < 2).to(torch.uint8).argsort(stable=True)  # classes of two images or more first
        size = size[by_size]
        label = by_size.argsort()[label]
        members = label.argsort(stable=True)
        self.count = len(labels)
        self.eligible = int((size >= 2).sum())
        self.singletons = len(size) - self.eligible
        self.pool = int(size[: self.eligible].sum())
        if self.eligible == 0:
            raise InputError(
                "No class has two images, so there are no positive pairs; give classes of two images or more."
            )
        self.largest = int(size.max())

        def padded(values: Tensor, *extra: int) -> Tensor:
            return torch.cat((values, values.new_tensor(extra))).to(device)

        self.label = padded(label, len(size))
        self.members = padded(members)
        position = torch.arange(len(members), device=members.device)
        self.position = padded(torch.empty_like(members).scatter_(0, members, position), 0)
        self.start = padded(size.cumsum(0) - size, 0)
        self.size = padded(size, 2)
        self.device = self.label.device
        worst = torch.full((len(size) + 1,), -1.0)  # nothing is lower: never the first
        worst[: self.eligible] = torch.inf
        self._worst, self._best = worst.to(device), worst.clone().to(device)

    def shape(self, classes: int, images: int, groups: int, mate_share: float) -> BatchShape:
        """The shape of a batch out of these classes, before anything is drawn.

        Raises
        ------
        InputError
            If the shape is not possible, or the data set has fewer classes of two images than it needs.
        """
        try:
            shape = BatchShape.of(classes, images, groups, mate_share)
        except TypeError as error:  # what cannot be hashed is no number
            raise InputError(
                f"A batch of {classes!r} classes, {images!r} images, {groups!r} groups and a share {mate_share!r} of"
                " mates is not possible; give three whole numbers and a share between 0 and 1."
            ) from error
        if self.eligible < classes:
            raise InputError(
                f"The batch needs {classes} classes, but only {self.eligible} have two images or more;"
                " lower the classes of a batch or add data."
            )
        return shape

    def unseen(self, seen: np.ndarray) -> int:
        """How many classes of two images or more have no sample among those `seen` (N,) bool."""
        known = np.unique(self.label[:-1].cpu().numpy()[seen])
        return self.eligible - int((known < self.eligible).sum())

    def first(self, classes: Tensor, order: Tensor, taken: Tensor | None = None) -> Tensor:
        """Mark the entry of lowest order in each class; none in a class `taken`, a singleton or nobody's.

        classes (L,) int64, order (L,) float32 from 0 on, taken (T,) int64; gives (L,) bool, of equal orders all. Works
        in a table of all classes, but touches only those given.
        """
        self._best.scatter_(0, classes, self._worst.index_select(0, classes))
        if taken is not None:
            self._best.index_fill_(0, taken, -1.0)
        self._best.scatter_reduce_(0, classes, order, "amin")
        return self._best.index_select(0, classes) == order


class ServedRates:
    """How often mates were wanted and not there; fading, kept on the device, read by `stats` alone."""

    def __init__(self, device: torch.device | str):
        self.tally = torch.zeros(3, device=device)  # places without a mate, seeds without any: shares; and batches
        self._batch = torch.zeros(3, device=device)
        self._batch[2] = 1
        self._shares: dict[tuple[int, int], Tensor] = {}

    def note_mates(self, missing: Tensor, groups: int) -> None:
        """`missing` (mates,) bool in the order of `choose_mates`: the first of each group come first."""
        share = self._share_of_each(len(missing), groups)
        self.tally.lerp_(torch.addmv(self._batch, share, missing.float()), 1 - RECENT)

    def _share_of_each(self, mates: int, groups: int) -> Tensor:
        """(3, mates): what each missing mate adds to the tally, so that both means are one product."""
        if (mates, groups) not in self._shares:
            share = torch.zeros(3, mates, device=self.tally.device)
            share[0] = 1 / mates
            share[1, :groups] = 1 / min(groups, mates)
            self._shares[mates, groups] = share
        return self._shares[mates, groups]

    def stats(self) -> dict[str, float]:
        fallback, unserved, batches = self.tally.tolist()
        return {"fallback_rate": fallback / max(batches, 1e-9), "unserved_rate": unserved / max(batches, 1e-9)}


def uniform(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Numbers in [0, 1); float64 is fine enough to number 100 million samples. Drawn where the generator lives."""
    return torch.rand(shape, generator=generator, dtype=dtype, device=generator.device).to(device)


def large_numbers(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """int64 up to 2^62: uniform modulo the size of anything, at one operation less than `uniform` times the size."""
    return torch.randint(1 << 62, shape, generator=generator, device=generator.device).to(device)


def spaced(below: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` random numbers (n, count) int64 under `below` (n, 1) int64, evenly spaced at a random start and stride.

    Each number is uniform. Those of a row are distinct if `below` >= `count`; else all occur about equally often.
    """
    start, stride = large_numbers((2, len(below), 1), generator, below.device)
    stride = stride.remainder((below // max(count, 1)).clamp_min_(1)).add_(1)
    steps = torch.arange(count, device=below.device)
    return torch.addcmul(start.remainder(below), stride, steps).remainder_(below)


def draw_seeds(index: ClassIndex, groups: int, generator: torch.Generator, given: Tensor | None = None) -> Tensor:
    """Samples (G,) int64, uniform over those of classes with two images or more; those `given` take the first places.

    Whether some are given or not, the generator moves on by the same.
    """
    seeds = index.members.take(large_numbers((groups,), generator, index.device).remainder_(index.pool))
    return seeds if given is None else torch.cat((given, seeds[len(given) :]))


def accept_given_seeds(index: ClassIndex, seeds: Any, groups: int) -> Tensor:
    """Samples (n,) int64 that are to lead a batch of G = `groups` groups.

    Raises
    ------
    InputError
        If there are more than groups, an id is out of range, or one is the only sample of its class.
    """
    ids = accept_ids(seeds, index.count, index.device)
    check(
        len(ids) <= groups,
        f"{len(ids)} seeds do not fit a batch of {groups} groups; give at most one seed a group.",
    )
    alone = index.label.index_select(0, ids) >= index.eligible
    if alone.any():
        raise InputError(
            f"The seed {int(ids[alone][0])} is the only sample of its class, which has no positive pair; give a seed of"
            " a class with two samples or more."
        )
    return ids


def choose_mates(index: ClassIndex, seeds: Tensor, candidates: Tensor, order: Tensor, mates: int) -> Tensor:
    """For each seed the first candidates of other classes, such that no class comes twice in the batch.

    Parameters
    ----------
    seeds : (G,) int64
    candidates : (G, K) int64, nobody where there is none
    order : (G, K) floating between 0 and 1, lowest first
    mates : how many are wanted in all

    Returns
    -------
    (mates,) int64, shorter if K is; entry j belongs to seed j mod G, nobody where that seed has no more
    """
    classes, order = index.label.index_select(0, candidates.reshape(-1)), order.reshape(-1).float()
    first = index.first(classes, order, taken=index.label.index_select(0, seeds))
    order = torch.where(first, order, torch.inf).view_as(candidates)
    each = min(-(-mates // len(seeds)), candidates.shape[1])
    best, column = order.topk(each, dim=1, largest=False)  # (G, mates a seed)
    chosen = torch.where(best < torch.inf, candidates.gather(1, column), index.count)
    return chosen.t().reshape(-1)[:mates]


def lay_out(
    index: ClassIndex,
    seeds: Tensor,
    mates: Tensor,
    shape: BatchShape,
    generator: torch.Generator,
    codes: Callable[[Tensor], Tensor] | None = None,
) -> BatchLayout:
    """The batch of seeds (G,) and mates (see `choose_mates`), filled with random classes; `index.shape` made `shape`.

    `codes` gives the bucket codes of samples, for the record.

    Where two seeds share a class, the second gives its place to a random class; its mates stay.
    """
    guided, drawn = torch.cat((seeds, mates)), _random_classes(index, shape.classes, generator)
    classes = torch.cat((index.label.index_select(0, guided), drawn))
    positions = torch.cat(
        (index.position.index_select(0, guided), large_numbers((len(drawn),), generator, index.device))
    )
    first = index.first(classes, torch.arange(len(classes), dtype=torch.float32, device=index.device))
    source = torch.searchsorted(first.cumsum(0), torch.arange(1, shape.classes + 1, device=index.device))  # (P,)
    classes, positions = classes.index_select(0, source), positions.index_select(0, source)
    ids = _images(index, classes, positions, shape.images, generator)  # (P, m)
    return BatchLayout(
        ids=ids.view(-1),
        source=source,
        seeds=len(seeds),
        guided=len(guided),
        codes=torch.full_like(source, -1) if codes is None else codes(ids[:, 0]),
    )


def draw_images(index: ClassIndex, anchors: Tensor, images: int, generator: torch.Generator) -> Tensor:
    """Each anchor (P,) and m - 1 others of its class: (P, m) int64, none twice unless the class has fewer than m."""
    return _images(
        index, index.label.index_select(0, anchors), index.position.index_select(0, anchors), images, generator
    )


def _images(index: ClassIndex, classes: Tensor, positions: Tensor, images: int, generator: torch.Generator) -> Tensor:
    """What `draw_images` gives for anchors of `classes` (P,) at `positions` (P,) in `members`.

    A position outside its class is counted round it, so that a large number stands for a random image.
    """
    start, size = index.start.index_select(0, classes)[:, None], index.size.index_select(0, classes)[:, None]
    anchor = positions[:, None] - start
    others = spaced(size - 1, images - 1, generator).add_(anchor).add_(1)
    return index.members.take(torch.cat((anchor, others), 1).remainder_(size).add_(start))


def _random_classes(index: ClassIndex, classes: int, generator: torch.Generator) -> Tensor:
    """Random classes (L,) int64 of two images or more, at least `classes` distinct ones."""
    draws = 4 * classes + SPARE
    if index.eligible <= draws:  # as many as there are, each once
        return uniform((index.eligible,), generator, index.device).argsort()
    return large_numbers((draws,), generator, index.device).remainder_(index.eligible)
