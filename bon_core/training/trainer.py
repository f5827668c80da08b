"""The training loop, top to bottom: compose, forward, lose, step, show the miner, write down.

Bag of Negatives composes the batches; divide and conquer decides whose turn it is. Of several processes each embeds
its share of the batch, and all else is as in one. Legend: B batch, b rows of it that are embedded here, D width,
N training images, K learners.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bon_core.base.files import reason_of
from bon_core.config import InputError, RunConfig, check
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.vector_set import VectorSet
from bon_core.division.clustering import Clustering
from bon_core.division.schedule import Phase, Schedule
from bon_core.division.teams import Batch, Teams
from bon_core.mining.bag import LOW_ENTROPY
from bon_core.mining.curriculum import MateShare
from bon_core.networks.embedding import embed
from bon_core.networks.network import EmbeddingNetwork, build_network
from bon_core.runs.audit import PHASES, AuditLog
from bon_core.runs.events import EventLog
from bon_core.runs.run import Run
from bon_core.training.augmentation import Augmentation
from bon_core.training.budget import Pace
from bon_core.training.chance import chance_of
from bon_core.training.checkpoint import load_tree, save_tree
from bon_core.training.device import check_compiles, device_for, freed_memory_kept, precision_for
from bon_core.training.distributed import Ranks
from bon_core.training.dividing import divide, save_partition, summary
from bon_core.training.feed import Feed
from bon_core.training.objectives import Objective, Outcome

LOG_EVERY = 10  # steps
COUNTED = 100_000  # samples whose buckets are counted at each of these; of more, as much more seldom
STATUS_EVERY = 1.0  # seconds

Evaluate = Callable[[EmbeddingNetwork, int], dict[str, Any]]
Show = Callable[[int, dict[str, float]], None]


class Trainer:
    """Trains one run.

    Parameters
    ----------
    config
        All settings; the same config gives the same run on the same machine.
    train_set
        Images or vectors of the training classes only.
    run
        Where to write; its directory exists.
    ranks
        The processes that train together; each makes a trainer of its own, and that of rank 0 writes.

    Attributes
    ----------
    evaluate
        Called now and then with the network and the step; what it returns is logged as an "evaluation" event.
    show
        Called about once a second with the step and a few figures, for a progress bar.
    pace
        How many steps there are, what is due at each, and the time to keep to where the config gives minutes.
    """

    def __init__(self, config: RunConfig, train_set: ImageSet | VectorSet, run: Run, ranks: Ranks | None = None):
        self.config, self.run, self.ranks = config, run, ranks or Ranks()
        self.evaluate: Evaluate | None = None
        self.show: Show = lambda step, figures: None
        settings, mining, division = config.training, config.mining, config.division
        self.device = device_for(settings.device)
        self.precision = precision_for(settings.precision, self.device)
        self.train_set = train_set
        self.feed = Feed(train_set.samples, self.device)
        self.ahead: Batch | None = None  # composed before its turn, to be read meanwhile
        self.labels = torch.from_numpy(train_set.labels).to(self.device)  # (N,)
        self.ids = torch.from_numpy(train_set.ids).to(self.device)  # (N,)
        self.network = build_network(config.network, division, channels=train_set.channels, seed=settings.seed).to(
            self.device
        )
        if settings.compile:
            check_compiles(self.device)
            self.network.backbone.compile()
        self.objective = Objective(
            settings.loss,
            mining.in_batch_miner,
            settings.margin,
            memory=min(mining.memory, len(train_set)) if mining.miner == "xbm" else 0,
            widths=[config.network.dim, *self.network.head.widths()],
        ).to(self.device)
        augments = settings.augment and isinstance(train_set, ImageSet)  # of vectors some values are dropped instead
        self.augment = Augmentation(train_set.channels) if augments else None
        self.optimizer = torch.optim.AdamW(
            [*self.network.parameters(), *self.objective.parameters()],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.teams = Teams(
            self.labels,
            dim=config.network.dim,
            mining=mining,
            division=division,
            device=self.device,
            seed=settings.seed,
        )
        self.steps_per_epoch = max(1, len(train_set) // mining.batch)
        self.pace = Pace(config, self.steps_per_epoch)
        self.mates = MateShare(mining)
        self.clustering: Clustering | None = None
        self.step = 0
        self.seconds = 0.0  # of training so far, evaluation apart
        self.warned = self.over = False  # it was said that buckets are crowded; that the budget is spent
        self.health: dict[str, float] = {}  # of the miner, when last asked
        self.figures: dict[str, float] = {}  # the last loss and recall, to show
        self.events = EventLog(run.path)
        self.audit = AuditLog(run.path)

    def fit(self) -> str:
        """Train to the end or until a stop is asked for; returns "finished" or "stopped".

        Raises
        ------
        InputError
            If the embeddings are no longer numbers; the last checkpoint stays.
        """
        network = self.ranks.parallel(self.network, resting=self.config.division.learners > 1)
        network.train()
        with freed_memory_kept():
            return self._fit(network)

    def _fit(self, network: Callable[..., Tensor]) -> str:
        told = 0.0
        while self.step < self.steps:
            if self.ranks.first_says(self.run.stop_requested()):
                self.save()
                return "stopped"
            dividing = self._divide_if_due()
            with self.pace.costs.of("step"):
                self._train_on(network, dividing)
            self.step += 1
            if self.pace.timed:
                self._keep_to_budget()
            if self.pace.evaluates(self.step):
                with self.pace.costs.of("evaluation"):
                    self._evaluate()
            if self.pace.saves(self.step):
                with self.pace.costs.of("saving"):
                    self.save()
            now = time.perf_counter()
            if self.ranks.first and now - told > STATUS_EVERY:
                told = now
                self._tell()
        return "finished"

    def _divide_if_due(self) -> float:
        """Divide the data anew, or bring the joint table up to date, before a step that asks for it; seconds taken."""
        started = time.perf_counter()
        if self.schedule.reclusters(self.step):
            with self.pace.costs.of("dividing"):
                self._divide(self.schedule.phase(self.step))
        elif self.schedule.rejoins(self.step):
            self._rejoin()
        return time.perf_counter() - started

    def _train_on(self, network: Callable[..., Tensor], dividing: float) -> None:
        """One step: a batch is composed, embedded, learned from, put into the bag; `dividing` seconds went before."""
        started = time.perf_counter() - dividing
        phase = self.schedule.phase(self.step)
        self._set_learning_rate()
        mate_share = self.mates.at(self.pace.plan.share_at(self.step))
        clock = time.perf_counter()
        batch, self.ahead = self.ahead or self.teams.compose(phase.cluster, mate_share), None
        mining = time.perf_counter() - clock

        with chance_of(self.config.training.seed, self.step, self.device):
            whole = len(batch.positions)  # B
            share = self.ranks.take_share(whole)
            samples = self.feed.take(batch.positions[share])  # (b, channels, H, W), or (b, values) of vectors
            if self.feed.ahead:
                clock = time.perf_counter()
                self.ahead = self._look_ahead()
                mining += time.perf_counter() - clock
            if self.augment is not None:
                samples = self.augment(samples, share, whole)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
                embeddings = network(samples, phase.learner, phase.of)  # (b, D) or (b, d)
            embeddings = self.ranks.gather(embeddings, whole)  # (B, D) or (B, d)
            self._check_finite(embeddings)
            outcome = self.objective(embeddings, self.labels[batch.positions], self.ids[batch.positions], phase.learner)
        self.optimizer.zero_grad(set_to_none=True)  # learners that rest have no gradient, so Adam leaves them alone
        outcome.loss.backward()
        self.optimizer.step()

        clock = time.perf_counter()
        self.teams.update(phase.cluster, batch, embeddings.detach())
        mining += time.perf_counter() - clock

        if self.ranks.first and self.step % self.config.training.audit_every == 0:
            self._record(phase, batch, outcome)
        taken = time.perf_counter() - started
        self.seconds += taken
        if self.step % LOG_EVERY == 0:
            self.ranks.check_alike(batch.positions, self.step)
            self._log(phase, outcome, mining=mining, taken=taken, mate_share=mate_share)

    def _look_ahead(self) -> Batch | None:
        """The next batch, already read while this step goes on; None if it is to come out of other teams."""
        step, now = self.step + 1, self.schedule.phase(self.step)
        if step == self.steps or self.schedule.reclusters(step) or self.schedule.phase(step).name != now.name:
            return None
        batch = self.teams.compose(self.schedule.phase(step).cluster, self.mates.at(self.pace.plan.share_at(step)))
        self.feed.begin(batch.positions[self.ranks.share(len(batch.positions))])
        return batch

    def save(self) -> None:
        """Write a checkpoint from which `load` continues bit for bit (on the CPU).

        Raises
        ------
        InputError
            If another rank holds other weights or tables; the last checkpoint stays.
        """
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "teams": self.teams.state_dict(),
            "mates": self.mates.state_dict(),
            "ahead": self.ahead and vars(self.ahead),
            "pace": self.pace.state_dict(),
            "warned": self.warned,
            "clusters": None if self.clustering is None else torch.from_numpy(self.clustering.labels),
            "centroids": None if self.clustering is None else torch.from_numpy(self.clustering.centroids),
        }
        self.ranks.check_alike([state["network"], state["objective"], state["teams"]], self.step)
        if not self.ranks.first:
            return
        self.audit.flush()
        began = time.perf_counter()
        save_tree(self.run.checkpoint, state)
        self.run.log("saved", step=self.step, seconds=round(time.perf_counter() - began, 3))

    def load(self) -> None:
        """Continue from the run's checkpoint; what was logged after it is forgotten, to be lived through again.

        Raises
        ------
        InputError
            If the checkpoint is unreadable or of another network.
        """
        self.restore()
        self.rewind()

    def rewind(self) -> None:
        """Forget what the run's files tell of the step to come and later."""
        self.events.rewind(self.step)
        self.audit.rewind(self.step)
        previews = [self.run.preview_path(step) for step in self.run.previews() if step > self.step]
        clusterings = [self.run.clustering_path(step) for step in self.run.clustering_steps() if step >= self.step]
        for path in (*previews, *clusterings):
            path.unlink()

    def restore(self) -> None:
        """Take the state of the run's checkpoint, and leave the run's files as they are. Raises as `load`."""
        state = load_tree(self.run.checkpoint)
        try:
            self.network.load_state_dict(state["network"])
            self.objective.load_state_dict(state["objective"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.teams.load_state_dict(state["teams"])
            self.mates.load_state_dict(state["mates"])
            if (ahead := state.get("ahead")) is not None:
                self.ahead = Batch(**{name: tensor.to(self.device) for name, tensor in ahead.items()})
            self.warned = bool(state["warned"])
            if state["clusters"] is not None:
                self.clustering = Clustering(
                    labels=state["clusters"].numpy(), centroids=state["centroids"].numpy(), objective=math.nan
                )
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            if "pace" in state:  # not in checkpoints of version 0.1
                self.pace.load_state_dict(state["pace"])
            self._check_restored()
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"The checkpoint of {self.run.name} does not fit its config ({reason_of(error)}); restore either, or"
                " start anew."
            ) from error

    def _check_restored(self) -> None:
        """What torch takes over unseen: a training on it would break off, or go wrong, later."""
        check(0 <= self.step <= self.steps, f"it is of step {self.step} of {self.steps}")
        for parameter, moments in self.optimizer.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                check(moments[name].shape == parameter.shape, f"{name} is of shape {tuple(moments[name].shape)}")
        if self.ahead is not None:
            rows = self.ahead.positions
            check(
                rows.ndim == 1 and len(rows) > 0 and rows.min() >= 0 and rows.max() < len(self.train_set),
                "the batch that it has composed ahead is of other samples",
            )
        if self.clustering is not None:
            labels, count = self.clustering.labels, len(self.clustering.centroids)
            check(
                labels.shape == (len(self.train_set),) and labels.min() >= 0 and labels.max() < count,
                f"its clusters do not number {len(self.train_set)} images from 0 to {count - 1}",
            )

    # Pace ---------------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Of the whole training; with a budget in minutes as many as are planned now."""
        return self.pace.steps

    @property
    def schedule(self) -> Schedule:
        """The phases of the training."""
        return self.pace.schedule

    def _keep_to_budget(self) -> None:
        changed, budget = self.pace.keep(self.step, self.ranks, settled=self.ahead is not None), self.pace.budget
        if budget is None:
            return
        if changed:
            self.run.log("planned", step=self.step, steps=self.steps, spent=round(budget.spent, 1))
        if not self.over and budget.spent + self.pace.ending > budget.seconds and self.step < self.steps:
            self.over = True
            text = (
                f"The budget of {budget.seconds / 60:g} minutes is nearly over at step {self.step}:"
                f" {budget.spent:.0f} s are spent, and evaluating, embedding and mapping at the end take about"
                f" {self.pace.ending:.0f} s; give more minutes."
            )
            self.events.write("warning", step=self.step, text=text)

    # Division -----------------------------------------------------------------------------------------------------

    def _divide(self, phase: Phase) -> None:
        """Cluster the training set on its present embedding, keep the learners' names, form the teams anew."""
        started = time.perf_counter()
        vectors = self._embed("embedding")  # (N, D)
        features = vectors if self.config.division.feature == "embedding" else self._embed("penultimate")
        partition = divide(
            vectors,
            features,
            self.train_set.labels,
            phase=phase,
            division=self.config.division,
            head=self.network.head,
            teams=self.teams,
            previous=self.clustering,
            seed=self.config.training.seed + self.step,
            ranks=self.ranks,
        )
        if self.ranks.first:
            when = {"step": self.step, "epoch": self.step / self.steps_per_epoch, "seconds": self.seconds}
            milliseconds = 1000 * (time.perf_counter() - started)
            file, seed = self.run.clustering_path(self.step), self.config.training.seed + self.step
            before = self.clustering
            save_partition(file, partition, before, ids=self.train_set.ids, step=self.step, seed=seed)
            self.events.write("clustering", **when, **summary(partition, before), milliseconds=milliseconds)
        self.clustering = partition.current

    def _rejoin(self) -> None:
        """The joint table slept through the divided phases: show it the present embedding."""
        self.teams.rejoin(torch.from_numpy(self._embed("embedding")).to(self.device))

    def _embed(self, feature: str) -> np.ndarray:
        """The training set as it lies now, (N, D) or (N, F), embedded in shares."""
        whole = len(self.train_set)
        share = self.ranks.share(whole)
        samples = self.train_set.samples
        if self.ranks.count > 1:
            samples = samples[share] if isinstance(samples, np.ndarray) else samples.take(np.arange(whole)[share])
        own = embed(self.network, samples, device=self.device, feature=feature)
        return self.ranks.gather(torch.from_numpy(own), whole).numpy()

    # Settings that move -------------------------------------------------------------------------------------------

    def _set_learning_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.training.learning_rate * self.pace.plan.rate_at(self.step)

    def _check_finite(self, embeddings: Tensor) -> None:
        if not bool(embeddings.isfinite().all()):
            raise InputError(
                f"The embeddings are no longer finite numbers at step {self.step}; lower --lr and train again."
            )

    # Records ------------------------------------------------------------------------------------------------------

    def _record(self, phase: Phase, batch: Batch, outcome: Outcome) -> None:
        self.audit.add(
            self.step,
            {
                "phase": PHASES.index(phase.name),
                "learner": -1 if phase.learner is None else phase.learner,
                "id": self.ids[batch.positions],
                "role": batch.roles,
                "bucket": batch.buckets,
                "positive": outcome.positive,
                "negative": outcome.negative,
                "d_ap": outcome.d_ap,
                "d_an": outcome.d_an,
                "active": outcome.active,
            },
        )

    def _log(self, phase: Phase, outcome: Outcome, *, mining: float, taken: float, mate_share: float) -> None:
        beta = self.objective.beta
        figures = torch.stack(
            [
                outcome.loss.detach(),
                outcome.active.float().mean(),
                outcome.d_ap.nanmean(),
                outcome.d_an.nanmean(),
                *([] if beta is None else [beta]),
            ]
        )
        loss, active, d_ap, d_an, *boundary = figures.tolist()
        self.figures["loss"] = loss
        self.mates.observe(active)
        if not self.ranks.first:
            return
        seldom = LOG_EVERY * (1 + len(self.train_set) // COUNTED)
        if not self.health or self.step % seldom == 0:
            self.health = self.teams.of(phase.cluster).miner.stats()
            self._warn_of_collapse(self.health)
        health = self.health
        names = ("entropy", "entropy_share", "fallback_rate", "staleness", "empty_share")
        self.events.write(
            "step",
            step=self.step,
            epoch=self.step / self.steps_per_epoch,
            seconds=self.seconds,
            phase=phase.name,
            learner=phase.learner,
            cluster=phase.cluster,
            loss=loss,
            active=active,  # share of all anchors of the batch whose triplet violates the margin, whatever the loss
            d_ap=d_ap,
            d_an=d_an,
            beta=next(iter(boundary), None),  # of the margin loss, which learns it
            mining_ms=1000 * mining,
            step_ms=1000 * taken,
            images_per_second=len(outcome.active) / taken,
            input_wait=self.feed.wait_share(self.seconds),
            mate_share=mate_share,
            **{name: health.get(name) for name in names},
        )

    def _warn_of_collapse(self, health: dict[str, float]) -> None:
        """Say so once when, after an epoch, samples crowd in few buckets: then mining dies in silence."""
        share = health.get("entropy_share", 1.0)
        low = self.step >= self.steps_per_epoch and share < LOW_ENTROPY
        if low and not self.warned:
            self.events.write(
                "warning",
                step=self.step,
                text=f"The buckets' entropy is {share:.0%} of what {health['bits']:.0f} bits hold, below"
                f" {LOW_ENTROPY:.0%}: samples crowd in few buckets; lower --bits or --mate-share.".replace("%", " %"),
            )
        self.warned = low

    def _evaluate(self) -> None:
        if self.evaluate is None:
            return
        figures = self.evaluate(self.network, self.step)
        self.figures["recall@1"] = figures["recall@1"]
        self.events.write(
            "evaluation",
            step=self.step,
            epoch=self.step / self.steps_per_epoch,
            seconds=self.seconds,
            **figures,
        )

    def _tell(self) -> None:
        self.show(self.step, self.figures)
        status = self.run.status()
        self.run.write_status(
            replace(
                status,
                state="running",
                message="",
                step=self.step,
                steps=self.steps,
                seconds_left=self.pace.seconds_left(self.step),
            )
        )
