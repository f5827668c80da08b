"""The figures of the guided scenes: how many negatives violate the margin, by where they come from; what follows.

numpy only. Legend: n samples, T anchors, W negatives of a batch. A negative *violates the margin* of an anchor while it
is nearer than one positive of the anchor, always the same, plus the triplet margin; what that costs, the loss decides.
"""

from dataclasses import dataclass

import numpy as np

from app.views.learn.pool import Pool
from bon_core.config import MiningConfig

DISTANCES = 4_000_000  # held at once
MIN_SAMPLES = 20  # anchors or points from which means are taken, however large the data
CANDIDATES = 24  # anchors that are tried as the typical one
CLEAR = 1.2  # times as many, from where on it is said to be more
NOTABLE = 0.01  # of Recall@1, from where on slices are said to add to each other


@dataclass(frozen=True)
class Question:
    """What a visitor predicts: a quantity, and ranges that it may fall into.

    choices : one text a range, in ascending order
    bounds : where a range ends and the next one, which holds the bound itself, begins; one fewer than choices
    """

    words: str
    choices: tuple[str, ...]
    bounds: tuple[float, ...]

    def right(self, value: float) -> int:
        """Which of the choices `value` falls into."""
        return int(np.searchsorted(self.bounds, value, side="right"))


def above(bound: float) -> float:
    """A bound between "up to" and "more than": the number itself is not yet more."""
    return float(np.nextafter(bound, np.inf))


@dataclass(frozen=True)
class Study:
    """T random anchors that have a positive, and which share of their negatives violates the margin.

    anchor, positive : (T,) int64, rows of the pool
    anywhere, bucket, cluster : (T,) float64, share of all negatives, of those in the anchor's own bucket, and of those
        in its own cluster; NaN where there is none
    looked : (T,) int64, samples in the anchor's bucket, itself included
    """

    anchor: np.ndarray
    positive: np.ndarray
    anywhere: np.ndarray
    bucket: np.ndarray
    cluster: np.ndarray
    looked: np.ndarray


def study(pool: Pool, clusters: np.ndarray, margin: float, *, seed: int = 0) -> Study | None:
    """Look from random anchors at all negatives; None if no sample has both a positive and a negative.

    `clusters` (n,) are those of the pool's rows.
    """
    able = np.flatnonzero(pool.size[pool.label] > 1)
    if len(pool.size) < 2 or not len(able):
        return None
    anchor = np.random.default_rng(seed).permutation(able)[: sample_size(len(pool.label))]
    positive = positives(pool, anchor)
    distance = pool.distances(anchor)  # (T, n)
    d_ap = distance[np.arange(len(anchor)), positive]
    negative = pool.label[anchor, None] != pool.label
    violating = negative & (distance < d_ap[:, None] + margin)
    bucket = pool.codes[anchor, None] == pool.codes
    cluster = clusters[anchor, None] == clusters

    def share(among: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (violating & among).sum(axis=1) / (negative & among).sum(axis=1)

    return Study(anchor, positive, share(negative), share(bucket), share(cluster), bucket.sum(axis=1))


def sample_size(n: int) -> int:
    """From how many random samples to look at all n, so that it takes no longer in a larger set: 20 to 500."""
    return int(np.clip(DISTANCES // n, MIN_SAMPLES, 500))


def positives(pool: Pool, anchors: np.ndarray) -> np.ndarray:
    """One other sample of each anchor's class, always the same one: (T,) int64. Each class must have two or more."""
    label = pool.label[anchors]
    ahead = 1 + anchors % (pool.size[label] - 1)
    return pool.members[pool.start[label] + (pool.index[anchors] + ahead) % pool.size[label]]


def random_moral(share: float) -> str:
    """What follows from the share of all negatives that violate the margin."""
    if share >= 0.5:
        return "Here a random negative violates the margin more often than not: there is no need to look for hard ones."
    if share >= 0.05:
        return "Most random negatives are beyond the margin, but a batch holds some that violate it."
    return "Nearly all random negatives are beyond the margin: who wants others has to look for them."


def bucket_moral(inside: float, anywhere: float) -> str:
    """What follows from the shares of negatives that violate the margin in an anchor's bucket, and of all."""
    if inside >= 2 * anywhere and inside > 0:
        return (
            "Pictures that share a code violate the margin much more often than any two, and finding them costs one"
            " look-up."
        )
    if inside >= CLEAR * anywhere and inside > 0:
        return "Pictures that share a code violate the margin somewhat more often than any two."
    return "Here a bucket is no better place to look for hard negatives than the whole data."


def cluster_moral(times: float, gain: float | None) -> str:
    """What follows from how many times as many negatives violate the margin inside a cluster, and from by how much
    Recall@1 of all slices together exceeds that of the best alone (None: not measured).
    """
    batches = "make batches harder" if times >= CLEAR else "hardly make batches harder"
    if gain is None:
        return f"Here clusters {batches}."
    if gain >= NOTABLE:
        return f"Here clusters {batches}, and the slices add to each other."
    joint, better = "but" if times >= CLEAR else "and", "hardly better" if gain > 0 else "no better"
    return f"Here clusters {batches}, {joint} all slices together are {better} than the best one alone."


def map_moral(kept: float) -> str:
    """What follows from the share of the true neighbours that are neighbours on the map."""
    if kept >= 2 / 3:
        return "On this map most who stand side by side are true neighbours."
    if kept >= 1 / 3:
        return "On this map about every second one who stands beside a picture is a true neighbour."
    return "On this map most who stand side by side are no true neighbours."


@dataclass(frozen=True)
class Negatives:
    """Negatives of one anchor, (w,) each, and the distance to its positive.

    row : int64, rows of the pool
    distance : float64, from the anchor
    violates : bool, the margin
    """

    positive: int
    d_ap: float
    row: np.ndarray
    distance: np.ndarray
    violates: np.ndarray


def random_batch(pool: Pool, anchor: int, mining: MiningConfig, margin: float) -> Negatives:
    """Negatives of an anchor, m of each of P - 1 random classes, as many as a batch holds; the same ones every time.

    A class of fewer than m gives some twice; classes of one come only where there are no others.
    """
    rng = np.random.default_rng(anchor)
    others = rng.permutation(np.delete(np.arange(len(pool.size)), pool.label[anchor]))
    others = others[np.argsort(pool.size[others] < 2, kind="stable")][: mining.classes - 1]
    drawn = [rng.choice(pool.members_of(c), mining.images, replace=pool.size[c] < mining.images) for c in others]
    return _seen_from(pool, anchor, np.concatenate(drawn), margin)


def bucket_of(pool: Pool, anchor: int, code: int, margin: float) -> Negatives:
    """The negatives of an anchor in the bucket `code`, nearest first."""
    return _seen_from(pool, anchor, np.flatnonzero(pool.codes == code), margin, nearest_first=True)


def _seen_from(pool: Pool, anchor: int, rows: np.ndarray, margin: float, *, nearest_first: bool = False) -> Negatives:
    positive = int(positives(pool, np.array([anchor]))[0])
    rows = rows[pool.label[rows] != pool.label[anchor]]
    away = _distances(pool.vectors, anchor, rows)
    d_ap = float(_distances(pool.vectors, anchor, np.array([positive]))[0])
    order = np.argsort(away, kind="stable") if nearest_first else slice(None)
    return Negatives(positive, d_ap, rows[order], away[order], away[order] < d_ap + margin)


def _distances(vectors: np.ndarray, anchor: int, rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors[rows].astype(np.float64) - vectors[anchor], axis=1)


def typical(found: Study, pool: Pool, mining: MiningConfig, margin: float) -> int:
    """The anchor whose random batch shows best what is usual: as many violate the margin in it as on average."""
    wanted = round(float(found.anywhere.mean()) * batch_negatives(pool, mining))
    near = np.argsort(np.abs(found.anywhere - found.anywhere.mean()), kind="stable")[:CANDIDATES]

    def off(place: int) -> int:
        batch = random_batch(pool, int(found.anchor[place]), mining, margin)
        return abs(int(batch.violates.sum()) - wanted)

    return int(found.anchor[min(near, key=off)])


def batch_negatives(pool: Pool, mining: MiningConfig) -> int:
    """W: how many negatives an anchor meets in a batch."""
    return (min(mining.classes, len(pool.size)) - 1) * mining.images


def telling_triplet(d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> int:
    """The triplet that just ceased to violate the margin: its negative is farther by little more; -1 without any.

    If all of them violate it, the one that is nearest to ceasing.
    """
    slack = d_an - d_ap - margin
    slack = np.where(slack > 0, slack, 10 - slack)  # those that violate it come after all others
    return -1 if np.isnan(slack).all() else int(np.nanargmin(slack))


def torn_apart(xy: np.ndarray, neighbours: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Median distance on the map of each point to its true neighbours, (T,) float64.

    Parameters
    ----------
    xy : (n, 2) places on the map
    neighbours : (T, k) rows of the true neighbours of the points
    points : (T,) rows
    """
    return np.median(np.linalg.norm(xy[neighbours] - xy[points, None], axis=2), axis=1)


def nearest_on(xy: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """The k rows of xy (n, 2) that are nearest to each of the rows `points` (T,) on the map: (T, k), nearest first."""
    squared = sum((xy[points, axis, None] - xy[:, axis]) ** 2 for axis in range(2))  # (T, n)
    squared[np.arange(len(points)), points] = np.inf
    near = np.argpartition(squared, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(squared, near, axis=1), axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1)
