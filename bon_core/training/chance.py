"""Chance for libraries that only know PyTorch's global generator, seeded by step: a resumed run draws the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def chance_of(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators for one step, and put back what they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed * 1_000_003 + step)
        yield
