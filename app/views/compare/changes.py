"""Two embeddings of the same samples: what they share, whose neighbourhood changed, who turned right and who wrong.

Legend: n samples of a side, c samples in common, k neighbours.
"""

import math
from dataclasses import dataclass

import numpy as np

from bon_core.base.ids import rows_of

SURE = 0.05  # a p below it is more than chance
EXACT = 20_000  # queries gained or lost, of all classes; beyond, the normal law is as good where no class outweighs all


@dataclass(frozen=True)
class Side:
    """One split of one embedding."""

    ids: np.ndarray  # (n,) int64, without repeats
    classes: np.ndarray  # (n,) str
    neighbours: np.ndarray  # (n, k) int64 ids, nearest first


@dataclass(frozen=True)
class Comparison:
    """What two sides say of the samples in common, by ascending id.

    Only neighbours in common count, so that a side with more samples is not at an advantage.
    """

    ids: np.ndarray  # (c,) int64
    places: tuple[np.ndarray, np.ndarray]  # (c,) where the samples are in each side
    right: tuple[np.ndarray, np.ndarray]  # (c,) float32: 1 if the nearest has the same class, 0 if not, NaN if unknown
    # or alone in its class: then there is nothing to be right about, as in all metrics
    kept: np.ndarray  # (c,) float32, share of the nearest neighbours that both sides name, NaN if unknown

    def turned(self, *, right: bool) -> np.ndarray:
        """Places among those in common that turned right from the first side to the second, or wrong; ascending."""
        before, after = self.right
        return np.flatnonzero((before == 1 - right) & (after == right))


@dataclass(frozen=True)
class Turns:
    """How many samples turned right and wrong, and how likely so uneven a split is if neither side is the better.

    Samples of a class tend to turn together, so `p` takes classes for independent, not samples: it is the share of all
    ways to flip the signs of the classes' net gains whose sum is as far from 0 as the one found (two-sided).
    `independent` is McNemar's test, two-sided, with mid-p (Fagerland et al., BMC Medical Research Methodology 13:91,
    2013): if each sample that turned had done so by the toss of a coin.
    """

    right: int
    wrong: int
    p: float
    independent: float

    @property
    def words(self) -> str:
        if not self.right and not self.wrong:
            return "No query turned right or wrong."
        counts = f"{self.right:,} {_queries(self.right)} got right, {self.wrong:,} got wrong"
        return f"{counts}: {'more than chance' if self.p < SURE else 'could be chance'}, {p_words(self.p)}."


@dataclass(frozen=True)
class ClassChange:
    """Recall@1 of the samples of one class in both embeddings."""

    name: str
    count: int
    recall: tuple[float, float]

    @property
    def gain(self) -> float:
        return self.recall[1] - self.recall[0]


def p_words(p: float) -> str:
    """A p as it is printed, with the digits that tell it from SURE."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.01 or round(p, 2) == SURE else f"p = {p:.2f}"


def turns(found: Comparison, classes: np.ndarray) -> Turns:
    """Count who turned, and weigh it by class; `classes` is (c,) str, of the samples in common."""
    from scipy.special import bdtr  # what scipy.stats would do, at a tenth of its import

    right, wrong = (found.turned(right=side) for side in (True, False))
    fewer, both = min(len(right), len(wrong)), len(right) + len(wrong)
    independent = float(bdtr(fewer - 1, both, 0.5) + bdtr(fewer, both, 0.5)) if fewer else float(bdtr(0, both, 0.5))
    _, numbers = np.unique(classes, return_inverse=True)
    gains = np.bincount(numbers[right], minlength=1 + numbers.max(initial=0))
    gains = gains - np.bincount(numbers[wrong], minlength=len(gains))
    return Turns(len(right), len(wrong), sign_flip_p(gains), min(independent, 1.0))


def sign_flip_p(gains: np.ndarray) -> float:
    """Two-sided p of the sum of whole numbers (C,) if each sign were tossed: over all 2^C ways, by the normal law if
    there are many.

    The sum of numbers with tossed signs has the characteristic function prod cos(gain t), and as it is a whole number
    from -S to S, the discrete Fourier transform of 2S + 1 values of that is its distribution.
    """
    sizes, counts = np.unique(np.abs(gains), return_counts=True)
    most = int(sizes @ counts)  # S
    found = abs(int(gains.sum()))
    if found == 0:
        return 1.0
    variance = int(np.square(sizes) @ counts)
    if most > EXACT and 100 * int(sizes[-1]) ** 2 < variance:
        return math.erfc(found / math.sqrt(2 * variance))
    t = np.arange(most + 1) * (2 * np.pi / (2 * most + 1))
    spectrum = np.ones(most + 1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        spectrum *= np.cos(size * t) ** count
    chances = np.fft.irfft(spectrum, 2 * most + 1)  # of the sums 0 to S, then of -S to -1
    return float(np.clip(2 * chances[found : most + 1].sum(), 0, 1))


def compare(one: Side, other: Side, *, k: int) -> Comparison:
    """Match samples by id and class, and compare their k nearest neighbours.

    A sample without k neighbours in common is compared by as many as it has on both sides.
    """
    ids, first, second = np.intersect1d(one.ids, other.ids, assume_unique=True, return_indices=True)
    same = one.classes[first] == other.classes[second]
    ids, first, second = ids[same], first[same], second[same]
    classes = one.classes[first]
    before, after = (_numbered(side.neighbours[rows], ids) for side, rows in ((one, first), (other, second)))
    right = _right(before, classes), _right(after, classes)
    return Comparison(ids, (first, second), right, _kept(before, after, k=k))


def class_changes(classes: np.ndarray, right: tuple[np.ndarray, np.ndarray]) -> list[ClassChange]:
    """How each class fared, the greatest gain first; samples of which one side says nothing are left out.

    Parameters
    ----------
    classes : (c,) str
    right : twice (c,) float32 as in a Comparison
    """
    known = ~np.isnan(right[0]) & ~np.isnan(right[1])
    names, numbers = np.unique(classes[known], return_inverse=True)
    counts = np.bincount(numbers)
    before, after = (np.bincount(numbers, side[known]) / counts for side in right)
    order = np.lexsort((-counts, before - after))
    return [ClassChange(str(names[p]), int(counts[p]), (float(before[p]), float(after[p]))) for p in order]


def superimpose(xy: np.ndarray, at: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, float]:
    """Turn, mirror, scale and shift a map so that the points `at` come as close to `targets` as that goes (Procrustes).

    Parameters
    ----------
    xy : (n, 2), the whole map, all of which is moved
    at : (c,) positions in `xy`
    targets : (c, 2)

    Returns
    -------
    The map, (n, 2) float32, and how much of the spread of `targets` it explains: 1 if they are hit, 0 if by no means.
    """
    centre, goal = xy[at].mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    here, there = xy[at] - centre, targets - goal
    left, sizes, right = np.linalg.svd(here.T @ there)
    extent, spread = np.square(here).sum(), np.square(there).sum()
    if extent == 0 or spread == 0:
        return xy.astype(np.float32), 0.0
    turn = left @ right * (sizes.sum() / extent)
    return ((xy - centre) @ turn + goal).astype(np.float32), float(sizes.sum() ** 2 / (extent * spread))


def _queries(count: int) -> str:
    return "query" if count == 1 else "queries"


def _numbered(neighbours: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Neighbours (c, k) as places in the ascending `ids` (c,): nearest first, strangers left out, -1 at the end."""
    found = rows_of(ids, neighbours)
    return np.take_along_axis(found, np.argsort(found < 0, axis=1, kind="stable"), axis=1)


def _right(near: np.ndarray, classes: np.ndarray) -> np.ndarray:
    first = near[:, 0]
    _, numbers, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    unknown = (first < 0) | (sizes[numbers] == 1)
    return np.where(unknown, np.nan, classes[first] == classes).astype(np.float32)


def _kept(one: np.ndarray, other: np.ndarray, *, k: int) -> np.ndarray:
    """Share of the first m neighbours that are in both, m being k or the fewer that both know."""
    most = np.minimum(np.minimum((one >= 0).sum(axis=1), (other >= 0).sum(axis=1)), k)
    first = [np.where(np.arange(near.shape[1]) < most[:, None], near, -1) for near in (one, other)]
    both = np.sort(np.hstack(first), axis=1)
    shared = ((both[:, 1:] == both[:, :-1]) & (both[:, 1:] >= 0)).sum(axis=1)
    return np.where(most == 0, np.nan, shared / np.maximum(most, 1)).astype(np.float32)
