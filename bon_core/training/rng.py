"""Random numbers of libraries that only know PyTorch's global generator: seeded by step, for a resumed run."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

STEPS_APART = 1_000_003  # between the seeds of two trainings


def seed_step(seed: int, step: int) -> None:
    """Seed the global generators for one step. Nothing waits for a GPU."""
    torch.manual_seed(seed * STEPS_APART + step)


@contextmanager
def global_state_restored(device: torch.device) -> Iterator[None]:
    """Put the global generators back at the end to what they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
