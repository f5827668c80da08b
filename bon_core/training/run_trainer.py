"""The trainer of a run: network, sampler, loss, optimiser and callbacks, all built from a config."""

import torch

from bon_core.base.files import reason_of
from bon_core.config import InputError, RunConfig, check
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.vector_set import VectorSet
from bon_core.division import DivideAndConquer
from bon_core.networks import EmbeddingNetwork, build_network
from bon_core.runs.audit import AuditLog
from bon_core.runs.events import EventLog
from bon_core.runs.run import Run
from bon_core.training.augmentation import Augmentation
from bon_core.training.budget import Pace
from bon_core.training.callbacks.audit_log import AuditRecorder
from bon_core.training.callbacks.callback import Callback
from bon_core.training.callbacks.checkpoints import BestCheckpoint, Checkpoint
from bon_core.training.callbacks.clustering_log import ClusteringLog
from bon_core.training.callbacks.evaluation import EarlyStopping, Evaluation
from bon_core.training.callbacks.status import Status, StopOnRequest
from bon_core.training.callbacks.step_log import StepLog
from bon_core.training.callbacks.time_budget import TimeBudget
from bon_core.training.checkpoint import load_tree, restore
from bon_core.training.device import check_compiles, device_for
from bon_core.training.distributed import ALONE, Ranks
from bon_core.training.loop import Trainer
from bon_core.training.metric_loss import MetricLoss
from bon_core.training.optimizer import parameter_groups


class RunTrainer(Trainer):
    """Trains one run as its config says, and writes what it did into the run directory.

    Parameters
    ----------
    config : all settings; the same config gives the same run on the same machine
    train_set : images or vectors of the training classes only
    run : where to write; its directory exists
    processes : that train together; each makes a trainer of its own, and that of rank 0 writes

    Attributes
    ----------
    pace : how many steps there are, and the time to keep to where the config gives minutes
    evaluation, status : callbacks whose `evaluate` and `show` are to be set

    Raises
    ------
    InputError
        If backbone, device or settings do not fit the data.
    """

    sampler: DivideAndConquer
    network: EmbeddingNetwork

    def __init__(self, config: RunConfig, train_set: ImageSet | VectorSet, run: Run, processes: Ranks = ALONE):
        settings, mining, division = config.training, config.mining, config.division
        self.config, self.run, self.train_set = config, run, train_set
        device = device_for(settings.device)
        network = build_network(config.network, division, channels=train_set.channels, seed=settings.seed).to(device)
        if settings.compile:
            check_compiles(device)
            network.backbone.compile()
        self.steps_per_epoch = max(1, len(train_set) // mining.batch)
        self.pace = pace = Pace(config, self.steps_per_epoch)
        pace.sampler = DivideAndConquer(
            train_set.labels,
            network.head,
            steps=pace.steps,
            mining=mining,
            division=division,
            steps_per_epoch=self.steps_per_epoch,
            device=device,
            seed=settings.seed,
        )
        pace.follow(pace.plan)
        loss = MetricLoss(
            settings.loss,
            mining.in_batch_miner,
            settings.margin,
            memory=min(mining.memory, len(train_set)) if mining.miner == "xbm" else 0,
            widths=[config.network.dim, *network.head.widths()],
        ).to(device)
        groups = parameter_groups(network, loss, weight_decay=settings.weight_decay)
        augments = settings.augment and isinstance(train_set, ImageSet)  # of vectors some values are dropped instead
        super().__init__(
            network,
            train_set,
            pace.sampler,
            loss,
            torch.optim.AdamW(groups, lr=settings.learning_rate),
            self._callbacks(),
            lr_schedule=lambda step: pace.plan.rate_at(step),
            clip_norm=settings.clip_norm,
            augment=Augmentation(train_set.channels) if augments else None,
            seed=settings.seed,
            device=settings.device,
            precision=settings.precision,
            processes=processes,
        )
        pace.costs = self.costs

    def _callbacks(self) -> list[Callback]:
        """In the order in which they see a step: what it did, how much is still to come, how good it is, what stays."""
        config, run, epoch = self.config, self.run, self.steps_per_epoch
        settings, pace = config.training, self.pace
        self.events, self.audit = EventLog(run.path), AuditLog(run.path)
        self.step_log = StepLog(self.events, steps_per_epoch=epoch)
        self.evaluation = Evaluation(self.events, every=pace.evaluate_every, steps_per_epoch=epoch)
        self.checkpoint = Checkpoint(run, every=pace.checkpoint_every)
        self.status = Status(run, pace.seconds_left)
        choosing: list[Callback] = []
        if config.data.holdout:  # otherwise evaluations are of the test classes, and nothing is chosen on them
            choosing.append(BestCheckpoint(run, self.evaluation))
        if settings.patience is not None:
            choosing.append(EarlyStopping(self.evaluation, patience=settings.patience))
        return [
            StopOnRequest(run),
            self.step_log,
            AuditRecorder(self.audit, every=settings.audit_every),
            ClusteringLog(run, self.events, steps_per_epoch=epoch),
            TimeBudget(pace, run, self.events),
            self.evaluation,
            *choosing,
            self.checkpoint,
            self.status,
        ]

    def save(self) -> None:
        """Write a checkpoint from which `load` continues bit for bit (on the CPU)."""
        self.checkpoint.save(self)

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
            restore(self, state)
            self._check_optimizer()
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"The checkpoint of {self.run.name} does not fit its config ({reason_of(error)}); restore either, or"
                " start anew."
            ) from error

    def _check_optimizer(self) -> None:
        """What torch takes over unseen: a training on it would break off, or go wrong, later."""
        for parameter, moments in self.optimizer.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                check(moments[name].shape == parameter.shape, f"{name} is of shape {tuple(moments[name].shape)}")
