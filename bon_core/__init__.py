"""Bag of Negatives, divide and conquer, and an explorer: `bon_core.explore(embeddings, labels)` opens it on arrays.

Names load their modules when asked for, so that `import bon_core` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.division import DivideAndConquer, SplitHead
    from bon_core.explorer import explore
    from bon_core.mining import BagOfNegatives, MinedBatchSampler
    from bon_core.training import Callback, Trainer

__all__ = [
    "BagOfNegatives",
    "Callback",
    "DivideAndConquer",
    "MinedBatchSampler",
    "SplitHead",
    "Trainer",
    "explore",
]
_ROOMS = {
    "division": ("DivideAndConquer", "SplitHead"),
    "explorer": ("explore",),
    "mining": ("BagOfNegatives", "MinedBatchSampler"),
    "training": ("Callback", "Trainer"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
