"""How a recorded batch came together. numpy only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np


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
