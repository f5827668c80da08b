"""Divide and conquer (Sanakoyeu et al., CVPR 2019): heads, schedule, clustering, and the batches of each cluster.

`DivideAndConquer` is all of it for a training loop. Names load torch when asked for; `schedule`, `clustering`,
`diagnostics` and `slices` need none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.division.clustering import Clustering, align, cluster
    from bon_core.division.divide_and_conquer import DivideAndConquer
    from bon_core.division.heads import MaskedHead, SplitHead
    from bon_core.division.partition import Partition
    from bon_core.division.schedule import Phase, Schedule

__all__ = [
    "Clustering",
    "DivideAndConquer",
    "MaskedHead",
    "Partition",
    "Phase",
    "Schedule",
    "SplitHead",
    "align",
    "cluster",
]
_MODULES = {
    "clustering": ("Clustering", "align", "cluster"),
    "divide_and_conquer": ("DivideAndConquer",),
    "heads": ("MaskedHead", "SplitHead"),
    "partition": ("Partition",),
    "schedule": ("Phase", "Schedule"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
