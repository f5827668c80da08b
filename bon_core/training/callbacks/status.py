"""What others see of a training at work, and how they stop it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bon_core.runs.run import Run
from bon_core.training.callbacks.callback import Callback, StepOutput

if TYPE_CHECKING:
    from bon_core.training.loop import Trainer

SECONDS_APART = 1.0  # between two writings of the status


class StopOnRequest(Callback):
    """Ends the training before the next step once somebody asked for it (`Run.request_stop`)."""

    def __init__(self, run: Run):
        self.run = run

    def on_train_batch_start(self, trainer: "Trainer") -> None:
        trainer.should_stop = trainer.processes.agree(self.run.stop_requested())


class Status(Callback):
    """Writes the run's status about once a second.

    Attributes
    ----------
    seconds_left : gives them at a step
    show : called with the trainer as often, for a progress bar
    """

    def __init__(self, run: Run, seconds_left: Callable[[int], float]):
        self.run, self.seconds_left = run, seconds_left
        self.show: Callable[[Trainer], None] = lambda trainer: None
        self._written = 0.0

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        now = time.perf_counter()
        if not trainer.processes.first or now - self._written <= SECONDS_APART:
            return
        self._written = now
        self.show(trainer)
        left = self.seconds_left(trainer.step)
        status = replace(self.run.status(), state="running", message="", step=trainer.step, steps=trainer.steps)
        self.run.write_status(replace(status, seconds_left=left))
