"""Miners side by side on one snapshot, kinds of triplets, and how a batch came together. numpy only.

Legend: n samples, D width, C classes, T trials, P classes a batch, m images a class, G groups, W negatives of a batch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bon_core.config import MiningConfig
from bon_core.evaluation.distances import squared_to_all
from bon_core.mining.codes import codes_of
from bon_core.training.losses import violates

EASY, SEMI_HARD, HARD = "easy", "semi-hard", "hard"


def kinds_of(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> np.ndarray:
    """ "hard" where the negative is nearer than the positive, "semi-hard" within the margin behind it, else "easy".

    A missing distance (NaN) gives "".
    """
    kinds = np.where(d_an < d_ap, HARD, np.where(d_an < d_ap + margin, SEMI_HARD, EASY))
    return np.where(np.isnan(d_ap) | np.isnan(d_an), "", kinds)


def violating_share(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> float:
    """Share of the triplets that violate the margin: d(a,n) < d(a,p) + margin. NaN without a triplet.

    A triplet is an anchor with the farthest positive and the nearest negative that were chosen for it; anchors for
    which one of the two was not chosen are left out.
    """
    known = ~(np.isnan(d_ap) | np.isnan(d_an))
    return float(violates(d_ap[known], d_an[known], margin).mean()) if known.any() else float("nan")


@dataclass(frozen=True)
class Draws:
    """What a miner chose in T trials; (T,) each. Where it chose nothing the row is -1, distance and rank are NaN.

    rows : int64, positions
    distances : float64, from the anchor
    ranks : float64, among all negatives of the anchor, 1 the hardest; rank - 1 negatives are harder than the choice
    """

    rows: np.ndarray
    distances: np.ndarray
    ranks: np.ndarray

    @property
    def none(self) -> float:
        """Share of the trials in which nothing was chosen."""
        return float((self.rows < 0).mean())

    @property
    def gap(self) -> float:
        """Median number of negatives that are harder than the choice: 0 for the exact hardest, NaN without a choice."""
        return float(np.median(self.ranks[self.rows >= 0]) - 1) if self.none < 1 else float("nan")


@dataclass(frozen=True)
class Pool:
    """The n samples that negatives are chosen from, and what drawing batches out of them needs.

    vectors : (n, D) float32, unit
    label : (n,) int64, class of each sample, 0..C-1
    codes, lsh : (n,) int64, the miner's hash codes, and those of as many random hyperplanes around the same mean
    members, place : (n,) int64, samples sorted by class, and where in its class each sample stands
    start, size : (C,) int64, where in `members` a class stands, and how many it has
    centres : (C, D) float32, unit
    """

    vectors: np.ndarray
    label: np.ndarray
    codes: np.ndarray
    lsh: np.ndarray
    members: np.ndarray
    place: np.ndarray
    start: np.ndarray
    size: np.ndarray
    centres: np.ndarray

    @classmethod
    def of(
        cls, vectors: np.ndarray, labels: np.ndarray, codes: np.ndarray, mean: np.ndarray, bits: int, *, seed: int = 0
    ) -> "Pool":
        """vectors (n, D) unit, labels and codes (n,); `mean` (D,) is that of the hasher behind `codes`, of S `bits`."""
        _, label, size = np.unique(labels, return_inverse=True, return_counts=True)
        members = np.argsort(label, kind="stable")
        start = np.cumsum(size) - size
        place = np.empty_like(members)
        place[members] = np.arange(len(members)) - start[label[members]]
        sums = np.add.reduceat(vectors[members], start)
        planes = np.random.default_rng(seed).standard_normal((vectors.shape[1], bits), np.float32)
        return cls(
            vectors=vectors,
            label=label,
            codes=codes,
            lsh=codes_of(vectors, mean, planes),
            members=members,
            place=place,
            start=start,
            size=size,
            centres=sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12),
        )

    def some(self, count: int, *, seed: int = 0) -> np.ndarray:
        """`count` different random samples, all if there are fewer."""
        return np.random.default_rng(seed).choice(len(self.label), min(count, len(self.label)), replace=False)

    def distances(self, anchors: np.ndarray) -> np.ndarray:
        """Distances (T, n) of the anchors (T,) to all."""
        rows, which = np.unique(anchors, return_inverse=True)
        return np.sqrt(squared_to_all(self.vectors[rows], self.vectors)).astype(np.float32)[which]

    def members_of(self, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A random member of each class, in the shape of `classes`."""
        return self.members[self.start[classes] + (rng.random(classes.shape) * self.size[classes]).astype(np.int64)]

    def images(self, first: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Each sample of `first` and count - 1 others of its class, (..., count): none twice if there are as many."""
        label = self.label[first][..., None]
        size, others = self.size[label], self.size[label] - 1
        begin = (rng.random(label.shape) * others).astype(np.int64)
        stride = 1 + (rng.random(label.shape) * (others // max(count - 1, 1))).astype(np.int64)
        apart = (begin + stride * np.arange(count - 1)) % np.maximum(others, 1)
        behind = (self.place[first][..., None] + 1 + apart) % size
        return np.concatenate([first[..., None], self.members[self.start[label] + behind]], axis=-1)

    def mates(self, codes: np.ndarray, anchors: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
        """Samples (T, most) out of each anchor's bucket, in random order and one a class; -1 where there are no more.

        Single images of a class are left out, as in training.
        """
        found = np.full((len(anchors), most), -1)
        for trial, anchor in enumerate(anchors):
            own = self.label[anchor]
            near = np.flatnonzero((codes == codes[anchor]) & (self.label != own) & (self.size[self.label] > 1))
            near = rng.permutation(near)
            _, first = np.unique(self.label[near], return_index=True)
            chosen = near[np.sort(first)[:most]]
            found[trial, : len(chosen)] = chosen
        return found

    def near_classes(self, anchors: np.ndarray, most: int) -> np.ndarray:
        """The classes (T, most) whose centres are nearest to that of each anchor's class."""
        own = self.label[anchors]
        unlike = -self.centres[own] @ self.centres.T  # (T, C)
        np.put_along_axis(unlike, own[:, None], np.inf, axis=1)
        return np.argpartition(unlike, max(most - 1, 0))[:, :most]

    def batches(
        self, anchors: np.ndarray, led: np.ndarray, classes: int, images: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Negatives (T, (P - 1) m) of batches of P `classes` x m `images` that hold the anchor's class.

        The samples `led` (T, L) come first, each with others of its class; random classes fill up.
        """
        turn = rng.random((len(anchors), len(self.size))) + (self.size < 2)  # single images last: training has none
        np.put_along_axis(turn, self.label[anchors][:, None], np.inf, axis=1)
        leader = np.full(turn.shape, -1)  # (T, C)
        trial, column = np.nonzero(led >= 0)
        brought = led[trial, column]
        turn[trial, self.label[brought]] = -1
        leader[trial, self.label[brought]] = brought
        count = min(classes, len(self.size)) - 1
        picked = np.argpartition(turn, count - 1)[:, :count]
        leader = np.take_along_axis(leader, picked, axis=1)
        first = np.where(leader >= 0, leader, self.members_of(picked, rng))
        return self.images(first, images, rng).reshape(len(anchors), -1)


def choices(pool: Pool, anchors: np.ndarray, mining: MiningConfig, margin: float, *, seed: int = 0) -> dict[str, Draws]:
    """The negative that each miner would choose for each of T anchors (T,), had training gone on from this snapshot.

    Inside a batch of P random classes x m images:
    "uniform": a random negative. "distance-weighted", "semi-hard", "multi-similarity": one of those that the miner of
    pytorch-metric-learning keeps, drawn as its loss weighs them. "batch-hard": the hardest.

    Across batches:
    "XBM": the hardest in a memory of random samples. "LSH batch", "class neighbours", "BoN batch": the hardest in a
    batch in which the anchor is a seed and (P - G) / G classes come out of its bucket (of the nearest classes), the
    others being random. "BoN draw": a random bucket mate of another class. An empty bucket falls back to random.

    In the whole pool:
    "exact": the hardest of all.

    Empty if there is only one class.
    """
    if len(pool.size) < 2:
        return {}
    rng = np.random.default_rng((seed, *anchors[:1]))
    distance = pool.distances(anchors)  # (T, n)
    kin = pool.images(anchors, mining.images, rng)[:, 1:]
    near = np.where(kin == anchors[:, None], np.nan, np.take_along_axis(distance, kin, axis=1))  # (T, m - 1)
    distance[pool.label == pool.label[anchors][:, None]] = np.inf  # from here on to negatives only

    def one_of(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """One of `rows` (T, W) with a chance in proportion to `weights` (T, W); -1 where all are 0."""
        race = weights / rng.standard_exponential(weights.shape)
        return np.where(race.any(axis=1), _at(rows, race.argmax(axis=1)), -1)

    def hardest(rows: np.ndarray) -> np.ndarray:
        return _at(rows, np.take_along_axis(distance, rows, axis=1).argmin(axis=1))

    def batch(led: np.ndarray) -> np.ndarray:
        return pool.batches(anchors, led[:, :wanted], mining.classes, mining.images, rng)

    wanted = min(-(-(mining.classes - mining.groups) // mining.groups), len(pool.size) - 1)  # classes a seed brings
    plain = batch(np.empty((len(anchors), 0), np.int64))
    away = np.take_along_axis(distance, plain, axis=1)  # (T, W)
    bon, lsh = (pool.mates(codes, anchors, max(wanted, 1), rng) for codes in (pool.codes, pool.lsh))
    anyone = one_of(plain, np.ones(plain.shape))
    memory = min(mining.memory, len(pool.label))
    remembered = np.stack([rng.choice(len(pool.label), memory, replace=False, shuffle=False) for _ in anchors])
    chosen = {
        "uniform": anyone,
        "distance-weighted": one_of(plain, distance_weights(away, pool.vectors.shape[1])),
        "semi-hard": one_of(plain, semi_hard(near, away, margin)),
        "multi-similarity": one_of(plain, multi_similarity(near, away)),
        "batch-hard": hardest(plain),
        "XBM": hardest(remembered),
        "LSH batch": hardest(batch(lsh)),
        "class neighbours": hardest(batch(pool.members_of(pool.near_classes(anchors, wanted), rng))),
        "BoN draw": np.where(bon[:, 0] >= 0, bon[:, 0], anyone),
        "BoN batch": hardest(batch(bon)),
        "exact": distance.argmin(axis=1),
    }
    return {name: _draws(rows, distance) for name, rows in chosen.items()}


def semi_hard(near: np.ndarray, away: np.ndarray, margin: float) -> np.ndarray:
    """With how many positives each negative is kept: farther than the positive by at most the margin. (T, W) int64.

    near (T, m - 1) and away (T, W) are distances of positives and negatives; a missing positive is NaN.
    """
    behind = away[:, None, :] - near[:, :, None]  # (T, m - 1, W)
    return ((behind > 0) & (behind <= margin)).sum(axis=1)


def multi_similarity(near: np.ndarray, away: np.ndarray, epsilon: float = 0.1) -> np.ndarray:
    """Which negatives are kept: more similar (cosine) than the least similar positive, less epsilon. (T, W) bool."""
    farthest = np.fmax.reduce(near, axis=1)[:, None]  # NaN without a positive: keeps nothing
    return 1 - away**2 / 2 + epsilon > 1 - farthest**2 / 2


def distance_weights(away: np.ndarray, width: int, *, cutoff: float = 0.5, last: float = 1.4) -> np.ndarray:
    """Weights (T, W) of negatives: one over the density of distances on a sphere of `width` dimensions, 0 from `last`.

    Wu et al., Sampling matters in deep embedding learning, ICCV 2017, section 4. Distances below `cutoff` count as it.
    """
    distance = np.clip(away, cutoff, last).astype(np.float64)
    logs = (2 - width) * np.log(distance) - (width - 3) / 2 * np.log(1 - distance**2 / 4)
    return np.where(away < last, np.exp(logs - logs.max(axis=1, keepdims=True)), 0)


def _draws(rows: np.ndarray, distance: np.ndarray) -> Draws:
    """Distances and ranks of the chosen `rows` (T,); `distance` (T, n) is infinite to samples that are no negatives."""
    away = np.where(rows >= 0, _at(distance, rows), np.inf)
    chosen = np.isfinite(away)
    ranks = 1.0 + (distance < away[:, None]).sum(axis=1)
    return Draws(np.where(chosen, rows, -1), np.where(chosen, away, np.nan), np.where(chosen, ranks, np.nan))


def _at(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """One value of each row of `values` (T, W), at `columns` (T,)."""
    return np.take_along_axis(values, columns[:, None], axis=1)[:, 0]


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


def remembered(step: Mapping[str, np.ndarray]) -> np.ndarray:
    """Ids of the chosen negatives that were not in the recorded batch: a memory of earlier ones gave them."""
    return np.setdiff1d(step["negative"][step["negative"] >= 0], step["id"])


def _runs(values: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of each stretch of equal values."""
    if len(values):
        yield from np.split(np.arange(len(values)), np.flatnonzero(np.diff(values)) + 1)
