"""Evaluation on held-out classes while training, and the end of a training that no longer gets better."""

from typing import TYPE_CHECKING, Any

from bon_core.runs.events import EventLog
from bon_core.training.callbacks.callback import Callback, StepOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from bon_core.training.loop import Trainer


class Evaluation(Callback):
    """Evaluates every so many steps and at the last, and writes "evaluation" events.

    Attributes
    ----------
    evaluate : called with the network and the step, returns figures; None: nothing is evaluated
    figures : as last evaluated
    """

    def __init__(self, events: EventLog, *, every: int, steps_per_epoch: int):
        self.events, self.every, self.steps_per_epoch = events, every, steps_per_epoch
        self.evaluate: Callable[[Any, int], dict[str, Any]] | None = None
        self.figures: dict[str, Any] = {}

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        if self.evaluate is None or not (trainer.step % self.every == 0 or trainer.is_over):
            return
        with trainer.costs.of("evaluation"):
            self.figures = self.evaluate(trainer.network, trainer.step)
        epoch = trainer.step / self.steps_per_epoch
        self.events.write("evaluation", step=trainer.step, epoch=epoch, seconds=trainer.seconds, **self.figures)


class EarlyStopping(Callback):
    """Ends the training once MAP@R has not risen for `patience` evaluations. It is to be that of held-out training
    classes: stopping by the test classes would choose on them."""

    def __init__(self, evaluation: Evaluation, *, patience: int):
        self.evaluation, self.patience = evaluation, patience
        self.best, self.since = float("-inf"), 0  # evaluations without a rise
        self._seen: dict[str, Any] = evaluation.figures

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        if self.evaluation.figures is not self._seen:
            self._seen = self.evaluation.figures
            found = self._seen["map@r"]
            self.since = 0 if found > self.best else self.since + 1
            self.best = max(self.best, found)
        if trainer.processes.agree(self.since >= self.patience):
            trainer.finish()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "since": self.since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.since = float(state.get("best", "-inf")), int(state.get("since", 0))
