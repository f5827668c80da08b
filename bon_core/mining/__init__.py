"""Miners: which samples meet in a batch. `bon_core.mining.codes` can be imported without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.mining.bag import BagOfNegatives
    from bon_core.mining.baselines import ClassNeighbours, Exact, Uniform
    from bon_core.mining.batch_miners import BatchMiner, make_batch_miner
    from bon_core.mining.layout import BatchLayout
    from bon_core.mining.sampler import MinedBatchSampler

__all__ = [
    "BagOfNegatives",
    "BatchLayout",
    "BatchMiner",
    "ClassNeighbours",
    "Exact",
    "MinedBatchSampler",
    "Uniform",
    "make_batch_miner",
]
_HOMES = {
    "bag": ("BagOfNegatives",),
    "baselines": ("ClassNeighbours", "Exact", "Uniform"),
    "batch_miners": ("BatchMiner", "make_batch_miner"),
    "layout": ("BatchLayout",),
    "sampler": ("MinedBatchSampler",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
