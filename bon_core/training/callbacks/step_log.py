"""The log of steps: loss, distances, health of the buckets, and time, every ten steps or so."""

from typing import TYPE_CHECKING, Any

import torch

from bon_core.mining.bag import LOW_ENTROPY
from bon_core.runs.events import EventLog
from bon_core.training.callbacks.callback import Callback, StepOutput

if TYPE_CHECKING:
    from bon_core.training.loop import Trainer

LOG_EVERY = 10  # steps
SAMPLES_COUNTED = 100_000  # whose buckets are counted at each of these; of more samples, as much more seldom
HEALTH = ("entropy", "entropy_share", "fallback_rate", "staleness", "empty_share")


class StepLog(Callback):
    """Writes "step" events, and once a warning when samples crowd in few buckets: mining would die in silence.

    All processes compare their batches here, so each has one; the first writes.
    """

    def __init__(self, events: EventLog, *, steps_per_epoch: int):
        self.events, self.steps_per_epoch = events, steps_per_epoch
        self.loss = float("nan")  # as last logged
        self.health: dict[str, float] = {}  # of the batch miner, when last asked
        self.has_warned = False

    def on_train_batch_end(self, trainer: "Trainer", output: StepOutput) -> None:
        if output.step % LOG_EVERY:
            return
        trainer.processes.assert_in_sync(output.ids, output.step)
        mined, beta = output.mined, trainer.loss.beta
        figures = [mined.loss.detach(), mined.active.float().mean(), mined.d_ap.nanmean(), mined.d_an.nanmean()]
        self.loss, active, d_ap, d_an, *boundary = torch.stack(figures + ([] if beta is None else [beta])).tolist()
        sampler = trainer.sampler
        mate_share = sampler.mate_share_at(output.step)
        sampler.observe(active)
        if not trainer.processes.first:
            return
        seldom = LOG_EVERY * (1 + len(trainer.labels) // SAMPLES_COUNTED)
        if not self.health or output.step % seldom == 0:
            self.health = sampler.stats(output.phase)
            self._warn_of_collapse(output.step)
        self.events.write(
            "step",
            step=output.step,
            epoch=output.step / self.steps_per_epoch,
            seconds=trainer.seconds,
            phase=output.phase.name,
            learner=output.phase.learner,
            cluster=output.phase.cluster,
            loss=self.loss,
            active=active,  # share of all anchors of the batch whose triplet violates the margin, whatever the loss
            d_ap=d_ap,
            d_an=d_an,
            beta=next(iter(boundary), None),  # of the margin loss, which learns it
            mining_ms=1000 * output.mining_seconds,
            step_ms=1000 * output.seconds,
            images_per_second=len(output.ids) / output.seconds,
            input_wait=trainer.loader.data_time_share(trainer.seconds),
            mate_share=mate_share,
            **{name: self.health.get(name) for name in HEALTH},
        )

    def _warn_of_collapse(self, step: int) -> None:
        health = self.health
        share = health.get("entropy_share", 1.0)
        is_low = step >= self.steps_per_epoch and share < LOW_ENTROPY
        if is_low and not self.has_warned:
            text = (
                f"The buckets' entropy is {share:.0%} of what {health['bits']:.0f} bits hold, below {LOW_ENTROPY:.0%}:"
                " samples crowd in few buckets; lower --bits or --mate-share."
            )
            self.events.write("warning", step=step, text=text.replace("%", " %"))
        self.has_warned = is_low

    def state_dict(self) -> dict[str, Any]:
        return {"has_warned": self.has_warned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.has_warned = bool(state.get("has_warned", False))
