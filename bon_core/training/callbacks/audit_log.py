"""The audit log: which samples met in a step, who brought them there, and what was chosen among them."""

from typing import TYPE_CHECKING

from bon_core.runs.audit import PHASES, AuditLog
from bon_core.training.callbacks.callback import Callback, StepOutput

if TYPE_CHECKING:
    from bon_core.training.loop import Trainer


class AuditRecorder(Callback):
    """Records every so many steps whole. Parts end at checkpoints."""

    def __init__(self, log: AuditLog, *, every: int):
        self.log, self.every = log, every

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        if output.step % self.every or not trainer.processes.first:
            return
        mined, batch = output.mined, trainer.sampler.batch
        assert batch is not None  # a step was done
        self.log.add(
            output.step,
            {
                "phase": PHASES.index(output.phase.name),
                "learner": -1 if output.phase.learner is None else output.phase.learner,
                "id": trainer.ids[output.ids],
                "role": batch.roles,
                "bucket": batch.buckets,
                "positive": mined.positive,
                "negative": mined.negative,
                "d_ap": mined.d_ap,
                "d_an": mined.d_an,
                "active": mined.active,
            },
        )

    def on_save_checkpoint(self, trainer: "Trainer") -> None:
        self.log.flush()
