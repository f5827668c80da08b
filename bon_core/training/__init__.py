"""Training: the loop and its callbacks, losses, and whole runs. Names load torch when asked for.

`loop.Trainer` trains any network; `run_trainer.RunTrainer` builds one from a config and writes a run;
`experiment.train` does all of it, from the data to the snapshot.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.training.callbacks.callback import Callback, StepOutput
    from bon_core.training.loop import Trainer
    from bon_core.training.metric_loss import MetricLoss

__all__ = ["Callback", "MetricLoss", "StepOutput", "Trainer"]
_MODULES = {
    "Callback": "callbacks.callback",
    "MetricLoss": "metric_loss",
    "StepOutput": "callbacks.callback",
    "Trainer": "loop",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
