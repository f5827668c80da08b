"""Checkpoints: the last one, from which a training continues bit for bit, and the weights of the best evaluation."""

import time
from typing import TYPE_CHECKING, Any

from bon_core.base.files import whole_file
from bon_core.runs.run import Run
from bon_core.training.callbacks.callback import Callback, StepOutput
from bon_core.training.callbacks.evaluation import Evaluation
from bon_core.training.checkpoint import save_tensors, save_tree, state_of

if TYPE_CHECKING:
    from bon_core.training.loop import Trainer

BEST = "best.safetensors"


class Checkpoint(Callback):
    """Writes the run's checkpoint every so many steps, at the last, and when the training stops."""

    def __init__(self, run: Run, *, every: int):
        self.run, self.every = run, every

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        if trainer.step % self.every == 0 or trainer.is_over:
            with trainer.costs.of("saving"):
                self.save(trainer)

    def on_fit_end(self, trainer: "Trainer") -> None:
        if not trainer.is_over:  # stopped
            self.save(trainer)

    def save(self, trainer: "Trainer") -> None:
        """Raises InputError, and leaves the last checkpoint, if embeddings are not finite or another rank differs."""
        trainer.check_finite()
        state = state_of(trainer)
        trainer.processes.assert_in_sync([state["network"], state["loss"], state["sampler"]], trainer.step)
        if not trainer.processes.first:
            return
        for callback in trainer.callbacks:
            callback.on_save_checkpoint(trainer)
        began = time.perf_counter()
        save_tree(self.run.checkpoint, state)
        self.run.log("saved", step=trainer.step, seconds=round(time.perf_counter() - began, 3))


class BestCheckpoint(Callback):
    """Writes the weights whenever an evaluation gives the highest MAP@R so far, to best.safetensors of the run."""

    def __init__(self, run: Run, evaluation: Evaluation):
        self.run, self.evaluation = run, evaluation
        self.best = float("-inf")

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        found = self.evaluation.figures.get("map@r", float("-inf"))
        if found <= self.best or not trainer.processes.first:
            return
        self.best = found
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in trainer.network.state_dict().items()}
        with whole_file(self.run.path / BEST) as path:
            save_tensors(weights, path, {"step": str(trainer.step), "map@r": f"{found:.6f}"})

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = float(state.get("best", "-inf"))
