"""Hash buckets: who shares a code, how mixed a bucket is, and what fewer bits would do.

Legend: n samples, S bits. A *mate* of a sample is another sample of its bucket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bon_core.evaluation.distances import squared_to_all

COLLAPSE = 0.8  # entropy / S below which buckets are so uneven that mining suffers
FALL = 0.1  # of entropy / S, between the best and the end, that is worth a word

Event = Mapping[str, Any]


@dataclass(frozen=True)
class BucketTable:
    """The occupied buckets of n samples, one entry a bucket, ascending by code.

    code, size, classes : (b,) int64, code, samples and distinct classes
    purity : (b,) float64, chance that two different samples of the bucket are of one class; NaN for a single sample
    hardness : (b,) float64, mean of the samples' hardness
    chosen : (b,) int64, how many of the samples are in the selection
    """

    code: np.ndarray
    size: np.ndarray
    classes: np.ndarray
    purity: np.ndarray
    hardness: np.ndarray
    chosen: np.ndarray

    def order(self, by: str) -> np.ndarray:
        """Places in the table: "selection", "fullest" or "most mixed" first; ties go to the fuller, then lower code."""
        keys = {
            "selection": -self.chosen,
            "fullest": -self.size,
            "most mixed": -self.classes,
        }
        return np.lexsort((self.code, -self.size, keys[by]))


def bucket_table(codes: np.ndarray, labels: np.ndarray, hardness: np.ndarray, chosen: np.ndarray) -> BucketTable:
    """Sum up the buckets of n samples: codes (n,), labels (n,), hardness (n,), chosen (n,) bool."""
    code, bucket, size = np.unique(codes, return_inverse=True, return_counts=True)
    cells, together = np.unique(np.stack([bucket, labels]), axis=1, return_counts=True)
    own_bucket = cells[0]
    pairs = np.bincount(own_bucket, together * (together - 1), minlength=len(code))
    with np.errstate(invalid="ignore"):
        purity = pairs / (size * (size - 1))
    return BucketTable(
        code=code,
        size=size,
        classes=np.bincount(own_bucket, minlength=len(code)),
        purity=purity,
        hardness=np.bincount(bucket, hardness.astype(np.float64), minlength=len(code)) / size,
        chosen=np.bincount(bucket, chosen, minlength=len(code)).astype(np.int64),
    )


@dataclass(frozen=True)
class BitsStudy:
    """What the first b bits of the codes do, for b = 1..S, over a sample of anchors; (S,) each.

    purity : chance that a mate is of the anchor's own class
    hardness : how near a mate of another class is: 0 as far as a random negative, 1 as near as the hardest there is
    served : share of anchors with a mate of another class
    """

    bits: np.ndarray
    purity: np.ndarray
    hardness: np.ndarray
    served: np.ndarray


def bits_study(
    vectors: np.ndarray, labels: np.ndarray, codes: np.ndarray, bits: int, *, anchors: int = 160, seed: int = 0
) -> BitsStudy:
    """Drop bits from the codes and see how pure and how hard the shrinking or growing buckets are.

    Parameters
    ----------
    vectors : (n, D) float32 unit
    labels, codes : (n,)
    anchors : how many samples to look from, drawn with `seed`
    """
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(vectors), min(anchors, len(vectors)), replace=False)
    distance = np.sqrt(squared_to_all(vectors[rows], vectors))  # (anchors, n)
    other = labels[rows, None] != labels
    hardest = np.min(distance, axis=1, where=other, initial=np.inf)
    random = np.mean(distance, axis=1, where=other) if other.any(axis=1).all() else np.full(len(rows), np.nan)
    differ = (codes[rows, None] ^ codes) | (1 << bits)  # (anchors, n): the bits in which two codes differ, and one more
    shared = np.bitwise_count(
        (differ & -differ) - 1
    )  # how many of the first bits are alike: they are mates up to there
    shared[np.arange(len(rows)), rows] = bits + 1  # an anchor is no mate of its own
    cell = np.arange(len(rows))[:, None] * (bits + 2) + shared

    def up_to(weights: np.ndarray | None) -> np.ndarray:
        """Sums (anchors, S) over the mates under the first b bits, b = 1..S."""
        sums = np.bincount(cell.ravel(), weights, minlength=len(rows) * (bits + 2)).reshape(-1, bits + 2)[:, 1:-1]
        return sums[:, ::-1].cumsum(axis=1)[:, ::-1]

    mates, strange = up_to(None), up_to(other.ravel())
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = up_to((distance * other).ravel()) / strange  # NaN without a mate of another class
        reach = np.maximum(random - hardest, 1e-6)[:, None]
        return BitsStudy(
            bits=np.arange(1, bits + 1),
            purity=1 - strange.sum(axis=0) / mates.sum(axis=0),
            hardness=_means((random[:, None] - mean) / reach),
            served=(strange > 0).mean(axis=0),
        )


def _means(columns: np.ndarray) -> np.ndarray:
    """Mean of each column without its NaNs; NaN for a column of nothing else."""
    known = ~np.isnan(columns)
    return np.where(known, columns, 0).sum(axis=0) / known.sum(axis=0)


@dataclass(frozen=True)
class Verdict:
    """How a bag fared over a training.

    kind : "filling" before the end of the first epoch, "low" below COLLAPSE at the last step, "fell" by FALL or more
        but not below it, "dipped" below it and came back, "steady" otherwise
    high, low, last : the steps of the highest and lowest entropy since the first epoch, and the last step
    """

    kind: Literal["filling", "low", "fell", "dipped", "steady"]
    high: Event
    low: Event
    last: Event

    @property
    def fallen(self) -> bool:
        """Whether the entropy is a good deal lower than it was."""
        return _share(self.high) - _share(self.last) >= FALL


def verdict(steps: Sequence[Event]) -> Verdict:
    """Judge the entropy of logged steps, one at least.

    While learners work apart each has a table of its own, so the highest is sought among steps of the last one's table.
    """
    last = steps[-1]
    filled = [step for step in steps if step["epoch"] >= 1]
    if not filled:
        return Verdict("filling", last, last, last)
    high = max((step for step in filled if step["cluster"] == last["cluster"]), key=_share)
    low = min(filled, key=_share)
    found = Verdict("steady", high, low, last)
    if _share(last) < COLLAPSE:
        return replace(found, kind="low")
    if found.fallen:
        return replace(found, kind="fell")
    return replace(found, kind="dipped") if _share(low) < COLLAPSE else found


def _share(step: Event) -> float:
    return step["entropy_share"]
