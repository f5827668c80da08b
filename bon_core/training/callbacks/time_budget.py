"""A training in given minutes: how many steps are still to come is decided again and again."""

from typing import TYPE_CHECKING, Any

from bon_core.runs.events import EventLog
from bon_core.runs.run import Run
from bon_core.training.budget import Pace
from bon_core.training.callbacks.callback import Callback, StepOutput
from bon_core.training.optimizer import set_step

if TYPE_CHECKING:
    from bon_core.training.loop import Trainer


class TimeBudget(Callback):
    """Lets as many steps be still to come as the time allows, and says so once when it is nearly over.

    All processes have one; the first decides.
    """

    def __init__(self, pace: Pace, run: Run, events: EventLog):
        self.pace, self.run, self.events = pace, run, events
        self.is_over = False  # and it was said

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        if not self.pace.timed:
            return
        changed = self.pace.keep(trainer.step, trainer.processes, settled=trainer.sampler.is_ahead)
        if changed:
            set_step(trainer.scheduler, trainer.step)  # whose learning rate goes by the new plan
        budget = self.pace.budget
        if budget is None:
            return
        if changed:
            self.run.log("planned", step=trainer.step, steps=trainer.steps, spent=round(budget.spent, 1))
        if not self.is_over and budget.spent + self.pace.ending > budget.seconds and trainer.step < trainer.steps:
            self.is_over = True
            text = (
                f"The budget of {budget.seconds / 60:g} minutes is nearly over at step {trainer.step}:"
                f" {budget.spent:.0f} s are spent, and evaluating, embedding and mapping at the end take about"
                f" {self.pace.ending:.0f} s; give more minutes."
            )
            self.events.write("warning", step=trainer.step, text=text)

    def state_dict(self) -> dict[str, Any]:
        return self.pace.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            self.pace.load_state_dict(state)
