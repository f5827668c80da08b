"""The callbacks' face: methods with the names of Lightning, called by the trainer in the order of its list."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from bon_core.config import InputError
from bon_core.division.schedule import Phase
from bon_core.training.metric_loss import MinedPairs

if TYPE_CHECKING:
    from bon_core.division import Partition
    from bon_core.training.loop import Trainer


@dataclass(frozen=True)
class StepOutput:
    """What one step gave.

    step : its number, from 0
    ids : (B,) int64, rows of the training set
    seconds, mining_seconds : of the whole step, clustering included, and of mining alone
    """

    step: int
    phase: Phase
    ids: Tensor
    mined: MinedPairs
    seconds: float
    mining_seconds: float


class Callback:
    """Overwrite what you need. `trainer.should_stop = True` ends the training before the next step.

    Of several processes each calls its own callbacks, so one that writes does so where `trainer.processes.first`.
    """

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Before the first step, also of a training that goes on."""

    def on_train_batch_start(self, trainer: "Trainer") -> None:
        """Before a step; `trainer.step` is its number."""

    def on_clustering_end(self, trainer: "Trainer", partition: "Partition", seconds: float) -> None:
        """After the data was divided, before the step that needs it."""

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        """After a step; `trainer.step` is the number of the next."""

    def on_save_checkpoint(self, trainer: "Trainer") -> None:
        """Before a checkpoint is written: what is not yet on disk of the steps so far belongs there now."""

    def on_fit_end(self, trainer: "Trainer") -> None:
        """After the last step, or when the training stops."""

    def on_exception(self, trainer: "Trainer", exception: BaseException) -> None:
        """When a step or a callback raises."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to hold of this callback."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; {} where a checkpoint knows nothing of this callback."""


def notify(trainer: "Trainer", event: str, *arguments: Any) -> None:
    """Call a method of all callbacks.

    Raises
    ------
    RuntimeError
        If one raises: with its name, the method and the step. InputError, OSError and an interrupt pass as they are.
    """
    for callback in trainer.callbacks:
        try:
            getattr(callback, event)(trainer, *arguments)
        except (InputError, OSError):
            raise
        except Exception as error:
            raise RuntimeError(
                f"The callback {type(callback).__name__} failed in {event} at step {trainer.step}"
                f" ({type(error).__name__}: {error}); mend it, or leave it out."
            ) from error
