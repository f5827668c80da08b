"""Miners side by side on one snapshot, kinds of triplets, and the mined pairs worth a look. numpy only.

Legend: n samples, P classes a batch, m images a class, G groups a batch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

EASY, SEMI_HARD, HARD = "easy", "semi-hard", "hard"
MEMORY = 1024  # samples that cross-batch memory remembers


def kinds_of(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> np.ndarray:
    """ "hard" where the negative is nearer than the positive, "semi-hard" within the margin behind it, else "easy".

    A missing distance (NaN) gives "".
    """
    kinds = np.where(d_an < d_ap, HARD, np.where(d_an < d_ap + margin, SEMI_HARD, EASY))
    return np.where(np.isnan(d_ap) | np.isnan(d_an), "", kinds)


def active_share(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> float:
    """Share of the triplets that violate the margin: d(a,n) < d(a,p) + margin. NaN without a triplet."""
    known = ~(np.isnan(d_ap) | np.isnan(d_an))
    return float((d_ap[known] + margin > d_an[known]).mean()) if known.any() else float("nan")


@dataclass(frozen=True)
class Draws:
    """What a miner chose for one anchor, in several draws: rows, distances and ranks (1 is the hardest), (d,) each."""

    rows: np.ndarray
    distances: np.ndarray
    ranks: np.ndarray


@dataclass(frozen=True)
class Anchor:
    """One sample among n, and what its negatives look like from it.

    row : its position
    distance : (n,) float32 to every sample
    negatives : (N-,) positions of samples of other classes, nearest first
    """

    row: int
    distance: np.ndarray
    negatives: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, labels: np.ndarray, row: int) -> "Anchor":
        distance = np.sqrt(np.maximum(2 - 2 * vectors @ vectors[row], 0))
        strange = np.flatnonzero(labels != labels[row])
        return cls(row, distance, strange[np.argsort(distance[strange], kind="stable")])

    def nearest(self, rows: np.ndarray) -> int:
        return int(rows[np.argmin(self.distance[rows])])

    def draws(self, rows: list[int]) -> Draws:
        found = np.array(rows, np.int64)
        away = self.distance[found]
        ranks = 1 + np.searchsorted(self.distance[self.negatives], away, side="left")
        return Draws(found, away, ranks)


def side_by_side(
    vectors: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
    row: int,
    *,
    classes: int,
    images: int,
    groups: int,
    draws: int = 60,
    seed: int = 0,
) -> dict[str, Draws]:
    """The negative that each miner would choose for one anchor, had training gone on from this snapshot.

    "uniform": a random negative. "in-batch": the hardest in a uniform batch of P classes x m images. "XBM": the hardest
    in a memory of random samples. "BoN draw": a random bucket mate of another class. "BoN batch": the hardest in a
    batch in which the anchor is a seed, P / G - 1 classes come out of its bucket and the others are random. "exact":
    the hardest of all. An empty bucket falls back to random, as in training.

    Empty if the anchor has no negative.
    """
    anchor = Anchor.of(vectors, labels, row)
    if not len(anchor.negatives):
        return {}
    rng = np.random.default_rng((seed, row))
    drawer = _Drawer(labels, row, rng)
    mates = np.flatnonzero((codes == codes[row]) & (labels != labels[row]))
    others = min(classes, len(drawer.names)) - 1
    wanted = max(round((classes - groups) / groups), 1)

    def bon_batch() -> int:
        led = drawer.one_a_class(rng.permutation(mates), min(wanted, others))
        rest = drawer.other_classes(others - len(led), but=labels[led])
        return anchor.nearest(
            np.concatenate([led, drawer.members(labels[led], images - 1), drawer.members(rest, images)])
        )

    choose = {
        "uniform": lambda: int(rng.choice(anchor.negatives)),
        "in-batch": lambda: anchor.nearest(drawer.members(drawer.other_classes(others), images)),
        "XBM": lambda: anchor.nearest(rng.choice(anchor.negatives, min(MEMORY, len(anchor.negatives)), replace=False)),
        "BoN draw": lambda: int(rng.choice(mates if len(mates) else anchor.negatives)),
        "BoN batch": bon_batch,
        "exact": lambda: int(anchor.negatives[0]),
    }
    return {name: anchor.draws([one() for _ in range(1 if name == "exact" else draws)]) for name, one in choose.items()}


def typical_ranks(
    vectors: np.ndarray, labels: np.ndarray, codes: np.ndarray, *, anchors: int = 60, seed: int = 0, **shape: int
) -> dict[str, float]:
    """Median rank of each miner's choice over random anchors, one draw each; `shape` is classes, images, groups."""
    rows = np.random.default_rng(seed).choice(len(labels), min(anchors, len(labels)), replace=False)
    found: dict[str, list[int]] = {}
    for row in rows:
        for name, draws in side_by_side(vectors, labels, codes, int(row), draws=1, seed=seed, **shape).items():
            found.setdefault(name, []).append(int(draws.ranks[0]))
    return {name: float(np.median(ranks)) for name, ranks in found.items()}


class _Drawer:
    """Draws classes other than the anchor's, and members of classes."""

    def __init__(self, labels: np.ndarray, row: int, rng: np.random.Generator):
        self.rng, self.labels = rng, labels
        self.order = np.argsort(labels, kind="stable")
        self.names, self.start, self.size = np.unique(labels[self.order], return_index=True, return_counts=True)
        self.strange = self.names[self.names != labels[row]]

    def other_classes(self, count: int, *, but: np.ndarray = ()) -> np.ndarray:
        """`count` distinct classes, neither the anchor's nor one of `but`; fewer if there are no more."""
        open_to = np.setdiff1d(self.strange, but)
        return self.rng.choice(open_to, min(count, len(open_to)), replace=False)

    def members(self, classes: np.ndarray, count: int) -> np.ndarray:
        """`count` random members of each class, positions (classes * count,); small classes repeat."""
        place = np.searchsorted(self.names, classes)
        offset = (self.rng.random((len(place), count)) * self.size[place, None]).astype(np.int64)
        return self.order[self.start[place, None] + offset].ravel()

    def one_a_class(self, rows: np.ndarray, most: int) -> np.ndarray:
        """The first of `rows` of each class, in their order, at most `most`."""
        _, first = np.unique(self.labels[rows], return_index=True)
        return rows[np.sort(first)][:most]


@dataclass(frozen=True)
class Group:
    """Rows of a batch that belong together: a seed's class and the classes its bucket brought, or the random fill."""

    bucket: int  # -1: filled at random, or no bucket
    classes: list[np.ndarray]  # rows of each class, the seed's first


def bag_groups(step: Mapping[str, np.ndarray], labels: np.ndarray) -> list[Group]:
    """A recorded batch by the bucket that brought the classes in: seeds in batch order, then all that was filled.

    `step` is what `read_step` gives; `labels` (B,) are the classes of its rows. Two seeds of one bucket form one group.
    """
    found: dict[int, list[np.ndarray]] = {}
    for rows in _runs(labels):
        bucket = -1 if step["role"][rows[0]] == 2 else int(step["bucket"][rows[0]])
        found.setdefault(bucket, []).append(rows)
    order = sorted(found, key=lambda bucket: bucket == -1)  # stable: -1 last
    return [Group(bucket, sorted(found[bucket], key=lambda rows: step["role"][rows[0]])) for bucket in order]


def _runs(values: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of each stretch of equal values."""
    if len(values):
        yield from np.split(np.arange(len(values)), np.flatnonzero(np.diff(values)) + 1)


@dataclass(frozen=True)
class Pairs:
    """Mined pairs, the most telling first; `one` and `other` are ids, one < other. (p,) each."""

    one: np.ndarray
    other: np.ndarray
    times: np.ndarray
    pull: np.ndarray  # by how much the negative was nearer than the positive, summed over all times
    nearest: np.ndarray  # smallest distance seen

    def __len__(self) -> int:
        return len(self.one)


def hardest_pairs(mined: Mapping[str, np.ndarray], *, top: int = 200) -> Pairs:
    """Rank anchor-negative pairs by how often and how hard they were: the summed excess of d(a,p) over d(a,n).

    `mined` has anchor, negative (n,) ids and d_ap, d_an (n,), as `mined_pairs` gives them. A pair and its reverse are
    one. Only times when the negative was nearer than the positive count: that is what a wrong label looks like.
    """
    pull = np.nan_to_num(mined["d_ap"] - mined["d_an"]).clip(min=0).astype(np.float64)
    active = pull > 0
    ends = np.sort(np.stack([mined["anchor"], mined["negative"]], axis=1)[active], axis=1)
    pairs, which, times = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    total = np.bincount(which, pull[active], minlength=len(pairs))
    nearest = np.full(len(pairs), np.inf)
    np.minimum.at(nearest, which, mined["d_an"][active])
    order = np.argsort(-total, kind="stable")[:top]
    return Pairs(pairs[order, 0], pairs[order, 1], times[order], total[order], nearest[order])
