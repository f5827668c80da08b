"""The training loop: sample, embed, lose, step, show the miner. All else is a callback.

    sampler = DivideAndConquer(labels, network.head, steps=2000)
    trainer = Trainer(network, (images, labels), sampler, losses.MarginLoss(), callbacks=[...])
    trainer.fit()

Legend: B batch, b rows of it that this process embeds, D width of the embedding, d of what a learner sees, N samples.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bon_core.config import Device, InputError, Precision
from bon_core.datasets.labelled import LabelledSet
from bon_core.division.schedule import Phase
from bon_core.networks.embedding import Feature
from bon_core.training.batch_loader import BatchLoader
from bon_core.training.budget import Costs
from bon_core.training.callbacks.callback import Callback, StepOutput, notify
from bon_core.training.device import device_for, freed_memory_kept, precision_for
from bon_core.training.distributed import ALONE, Ranks
from bon_core.training.inputs import Sampler, arrays_of, check_embeddings, sampler_of
from bon_core.training.metric_loss import MetricLoss, MinedPairs
from bon_core.training.optimizer import parameter_groups
from bon_core.training.rng import global_state_restored, seed_step

CHECK_EVERY = 10  # steps after which a GPU is asked whether embeddings are finite, as are ranks for their tables


class Trainer:
    """Trains a network.

    Parameters
    ----------
    network : any module that maps float samples (B, ...) to embeddings (B, D); with a sampler that divides, called as
        network(samples, learner, of) for a slice, as `EmbeddingNetwork` is
    samples : an ImageSet or VectorSet; or (samples, labels), where samples are uint8 images (N, H, W[, 3]), vectors
        (N, F), or a float tensor (N, ...) that goes to the network as it is
    sampler : DivideAndConquer, a MinedBatchSampler, or any batch sampler of PyTorch that yields lists of row numbers
    loss : called with embeddings (B, d) and labels (B,), or a MetricLoss
    optimizer : by default AdamW at 0.001, without decay of norms, biases and the loss's own parameters
    callbacks : see `Callback`; called in their order
    steps : of the whole training; by default the sampler's
    lr_schedule : gives the share of the learning rate at a step; constant by default
    clip_norm : the gradient's length is cut to it
    augment : called with a batch of samples (B, ...) before the network
    seed : of the augmentation and of the loss's miner
    processes : that train together under torchrun

    Raises
    ------
    InputError
        If samples, sampler or device are not usable.
    """

    def __init__(
        self,
        network: nn.Module,
        samples: LabelledSet | tuple[Any, Any],
        sampler: Any,
        loss: Callable[..., Tensor],
        optimizer: torch.optim.Optimizer | None = None,
        callbacks: Iterable[Callback] = (),
        *,
        steps: int | None = None,
        lr_schedule: Callable[[int], float] = lambda step: 1.0,
        clip_norm: float | None = None,
        augment: Callable[..., Tensor] | None = None,
        seed: int = 0,
        device: Device = "auto",
        precision: Precision = "auto",
        processes: Ranks = ALONE,
    ):
        self.device = device_for(device)
        self.precision = precision_for(precision, self.device)
        self.samples, labels, ids = arrays_of(samples)
        self.labels = torch.from_numpy(labels).to(self.device)  # (N,)
        self.ids = torch.from_numpy(ids).to(self.device)  # (N,)
        self.network = network.to(self.device)
        self.loss = (loss if isinstance(loss, MetricLoss) else MetricLoss(loss)).to(self.device)
        self.sampler: Sampler = sampler_of(sampler, steps, len(labels))
        self.loader = BatchLoader(self.samples, self.device)
        self.augment, self.clip_norm, self.seed = augment, clip_norm, seed
        self.optimizer = optimizer or torch.optim.AdamW(parameter_groups(self.network, self.loss), lr=1e-3)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lr_schedule)
        self.callbacks: Sequence[Callback] = list(callbacks)
        self.processes, self.costs = processes, Costs()
        self.step, self.seconds = 0, 0.0  # steps done, and how long they took
        self.should_stop = self._is_finished = False
        self._finite = torch.ones((), dtype=torch.bool, device=self.device)

    def fit(self) -> str:
        """Train to the last step, or until a callback sets `should_stop`; returns "finished" or "stopped".

        Raises
        ------
        InputError
            If the embeddings are of a wrong shape or no longer numbers, or the sampler gives rows that are not there.
        """
        network = self.processes.parallel(self.network, resting=self.sampler.learners > 1)
        network.train()
        try:
            with freed_memory_kept(), global_state_restored(self.device):
                notify(self, "on_fit_start")
                while not self.is_over:
                    notify(self, "on_train_batch_start")
                    if self.should_stop:
                        break
                    output = self._step(network)
                    self.step += 1
                    notify(self, "on_train_batch_end", output)
                notify(self, "on_fit_end")
        except BaseException as error:
            for callback in self.callbacks:
                callback.on_exception(self, error)
            raise
        return "finished" if self.is_over else "stopped"

    @property
    def steps(self) -> int:
        """Of the whole training; a budget in minutes changes them."""
        return self.sampler.steps

    @property
    def is_over(self) -> bool:
        """Whether the last step is done."""
        return self.step >= self.steps or self._is_finished

    def finish(self) -> None:
        """Let the step that is done be the last."""
        self._is_finished = True

    def _step(self, network: nn.Module) -> StepOutput:
        started = time.perf_counter()
        if self.sampler.needs_embeddings:
            with self.costs.of("dividing"):
                self._renew_sampler()
        with self.costs.of("step"):
            phase, ids, mined, mining = self._train_batch(network)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        return StepOutput(self.step, phase, ids, mined, seconds, mining)

    def _renew_sampler(self) -> None:
        """Show the sampler the whole training set: it clusters anew, or renews its table."""
        started = time.perf_counter()
        layers: list[Feature] = ["embedding", "penultimate"] if self.sampler.clusters_features else ["embedding"]
        embed = partial(self.processes.embed, self.network, self.samples, device=self.device)
        found = self.sampler.refresh(*(embed(feature=layer) for layer in layers), processes=self.processes)
        if found is not None:
            notify(self, "on_clustering_end", found, time.perf_counter() - started)

    def _train_batch(self, network: nn.Module) -> tuple[Phase, Tensor, MinedPairs, float]:
        phase, clock = self.sampler.phase, time.perf_counter()
        ids = self.sampler.sample().to(self.device)  # (B,)
        mining = time.perf_counter() - clock
        seed_step(self.seed, self.step)
        samples, ahead = self._load(ids)  # (b, ...)
        turn = () if phase.learner is None else (phase.learner, phase.of)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            embeddings = network(samples, *turn)  # (b, d)
        check_embeddings(embeddings, len(samples))
        embeddings = self.processes.gather(embeddings, len(ids))  # (B, d)
        self._finite &= embeddings.detach().isfinite().all()
        if self.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self.check_finite()
        mined = self.loss(embeddings, self.labels[ids], self.ids[ids], phase.learner)
        self.optimizer.zero_grad(set_to_none=True)  # learners that rest have no gradient: Adam leaves them alone
        mined.loss.backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        self.optimizer.step()
        self.scheduler.step()
        clock = time.perf_counter()
        self.sampler.update(ids, embeddings.detach())
        return phase, ids, mined, mining + ahead + time.perf_counter() - clock

    def _load(self, ids: Tensor) -> tuple[Tensor, float]:
        """This process's rows of a batch, augmented; and the seconds that sampling the next one took meanwhile."""
        share, ahead = self.processes.take_share(len(ids)), 0.0
        samples = self.loader.load(ids[share])
        if self.loader.on_disk:
            clock = time.perf_counter()
            if (coming := self.sampler.sample_ahead()) is not None:
                self.loader.prefetch(coming[self.processes.share(len(coming))])
            ahead = time.perf_counter() - clock
        if self.augment is None:
            return samples, ahead
        return self.augment(samples, *((share, len(ids)) if self.processes.count > 1 else ())), ahead

    def check_finite(self) -> None:
        """Raise InputError if an embedding was not finite at any step so far. On a GPU this waits for it."""
        if not self._finite:
            text = f"The embeddings are no longer finite numbers at step {self.step}; lower --lr, or drop bad samples."
            raise InputError(text)
