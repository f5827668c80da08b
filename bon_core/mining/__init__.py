"""Miners: which samples meet in a batch. `bon_core.mining.codes` can be imported without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.mining.bag import BagOfNegatives
    from bon_core.mining.baselines import ClassNeighbours, Exact, Uniform
    from bon_core.mining.composers import Composer, make_composer
    from bon_core.mining.composition import Composition
    from bon_core.mining.sampler import MinedBatchSampler

__all__ = [
    "BagOfNegatives",
    "ClassNeighbours",
    "Composer",
    "Composition",
    "Exact",
    "MinedBatchSampler",
    "Uniform",
    "make_composer",
]
_HOMES = {
    "bag": ("BagOfNegatives",),
    "baselines": ("ClassNeighbours", "Exact", "Uniform"),
    "composers": ("Composer", "make_composer"),
    "composition": ("Composition",),
    "sampler": ("MinedBatchSampler",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
