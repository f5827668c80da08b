"""UMAP's descent (McInnes et al., 2018), on all cores and yet the same each time.

umap-learn's own either runs on one core or lets threads overwrite each other, and gives another map each time. Here the
samples are numbered along a curve through the map and cut into regions that lie together. Threads take regions; within
an epoch, each moves its own samples and sees those of other regions where they were when the epoch began. Most edges
lie within a region, so that little is seen late.

Legend: N samples, E edges, each in both directions and sorted by where it begins.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numba
import numpy as np

REGION = 4096  # samples of a region at least
REGIONS = 16  # at most
FARTHEST = np.float32(4)  # that a sample moves at once, before the rate; as in umap-learn
CLOSEST = np.float32(0.001)  # added to squared distances that push


def along_curve(places: np.ndarray) -> np.ndarray:
    """The samples (N,) in the order in which a Z-curve meets their places (N, 2): neighbours mostly stay together."""
    low, extent = places.min(axis=0), np.maximum(np.ptp(places, axis=0), 1e-9)
    cell = ((places - low) / extent * 65535).astype(np.uint32)
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        cell = (cell | (cell << shift)) & np.uint32(mask)
    return np.argsort(cell[:, 0] | (cell[:, 1] << 1), kind="stable")


def descend(
    places: np.ndarray,
    heads: np.ndarray,
    tails: np.ndarray,
    strengths: np.ndarray,
    *,
    epochs: int,
    rate: float,
    negatives: int,
    curve: tuple[float, float],
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Move `places` (N, 2) float32 along UMAP's gradient.

    Parameters
    ----------
    heads, tails : (E,) int32; the samples are numbered so that those close together have numbers close together
    strengths : (E,) float32; the strongest edge has a turn in each epoch, others the more seldom
    rate : of the first epoch; it falls to 0
    negatives : random samples that push for each turn of an edge
    curve : a and b of UMAP's curve, which says how near strong neighbours come
    progress : called with (epochs done, epochs); what it raises ends the descent
    """
    count = len(places)
    bounds = np.linspace(0, count, max(1, min(REGIONS, count // REGION)) + 1).astype(np.int64)
    firsts = np.searchsorted(heads, np.arange(count + 1))  # (N + 1,) first edge of each sample
    waits = strengths.max() / strengths  # (E,) epochs from one turn to the next
    turns = waits.copy()  # (E,) epoch of the next turn
    seeds = np.random.SeedSequence(seed).generate_state(epochs * (len(bounds) - 1), np.uint64) | np.uint64(1)
    seeds = seeds.reshape(epochs, -1)  # of each region's chance
    a, b = (np.float32(value) for value in curve)
    with ThreadPoolExecutor(min(len(bounds) - 1, os.cpu_count() or 1)) as threads:
        for epoch in range(epochs):
            pace = np.float32(rate * (1 - epoch / epochs))
            shared = (places, places.copy(), firsts, tails, waits, turns, epoch, pace, negatives, a, b)
            moving = [
                threads.submit(_move, begin, end, *shared, seed)
                for (begin, end), seed in zip(pairwise(bounds), seeds[epoch], strict=True)
            ]
            for region in moving:
                region.result()
            if progress is not None:
                progress(epoch + 1, epochs)


@numba.njit(nogil=True, fastmath=True, cache=True)
def _move(begin, end, places, before, firsts, tails, waits, turns, epoch, pace, negatives, a, b, chance):
    """One epoch of the samples `begin` to `end`, which alone are written to; `before` has all as the epoch began."""
    count = np.uint64(len(places))
    one, two = np.float32(1), np.float32(2)
    for head in range(begin, end):
        for edge in range(firsts[head], firsts[head + 1]):
            if turns[edge] > epoch:
                continue
            turns[edge] += waits[edge]
            x, y = places[head, 0], places[head, 1]
            tail = tails[edge]
            own = begin <= tail < end
            other = places if own else before
            dx, dy = x - other[tail, 0], y - other[tail, 1]
            square = dx * dx + dy * dy
            if square > 0:
                power = square**b
                pull = -two * a * b * power / (square * (a * power + one))
                mx, my = pace * _limited(pull * dx), pace * _limited(pull * dy)
                if own:
                    places[tail, 0] -= mx
                    places[tail, 1] -= my
                else:  # the other way round, where this sample cannot be moved
                    mx, my = two * mx, two * my
                x += mx
                y += my
            for _ in range(negatives):
                chance ^= chance << np.uint64(13)  # xorshift
                chance ^= chance >> np.uint64(7)
                chance ^= chance << np.uint64(17)
                stranger = np.int64(((chance >> np.uint64(32)) * count) >> np.uint64(32))
                if stranger == head:
                    continue
                other = places if begin <= stranger < end else before
                dx, dy = x - other[stranger, 0], y - other[stranger, 1]
                square = dx * dx + dy * dy
                if square > 0:
                    push = two * b / ((CLOSEST + square) * (a * square**b + one))
                    x += pace * _limited(push * dx)
                    y += pace * _limited(push * dy)
            places[head, 0], places[head, 1] = x, y


@numba.njit(fastmath=True, cache=True, inline="always")
def _limited(step):
    return max(-FARTHEST, min(FARTHEST, step))
