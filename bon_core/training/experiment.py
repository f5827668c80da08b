"""A training from end to end: data, trainer, evaluation on held-out classes, snapshot, card.

The trainer knows nothing of retrieval or maps; what it is to call now and then is handed to it here.
"""

import contextlib
import errno
import platform
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from bon_core.base import paths
from bon_core.base.files import sweep, whole_file
from bon_core.base.intake import counted, print_report
from bon_core.config import IMAGE_BACKBONES, VECTOR_BACKBONES, Device, InputError, RunConfig, check
from bon_core.datasets import VectorSet, load_data
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.datasets.image_set import TRAIN
from bon_core.evaluation.neighbours import NeighbourTable
from bon_core.runs import store
from bon_core.runs.build_snapshot import (
    CLUSTERS_TO_LOOK_AT,
    Division,
    build_snapshot,
    check_measurable,
    fitted_division,
    fitted_hashing,
    hashing_of,
)
from bon_core.runs.card import PACKAGES, write_card
from bon_core.runs.run import WEIGHTS, Run, State, this_process
from bon_core.runs.snapshot import Snapshot
from bon_core.training.aftermath import Aftermath
from bon_core.training.evaluator import Data, Evaluator, drawn_rows, evaluated, held_out, untrained

MAX_SHOWN = 1_000_000  # samples of a snapshot
WAIT_SECONDS = 1.0
DIVIDING = 1.5  # times what embedding the training set takes, until a division was measured


def train(
    name: str, config: RunConfig, *, queue: bool = False, command: str = "", spent: float = 0.0
) -> dict[str, Any]:
    """Train a new run and take its snapshot. `spent` seconds of a budget in minutes are gone already.

    Under torchrun each of its processes calls this, and a run that is there is continued if its config is the same:
    torchrun starts the same command again after a process died.

    Raises
    ------
    InputError
        If the name is taken, or data, settings or device are not usable; no run directory is then left behind.
    """
    from bon_core.training.device import device_for, precision_for
    from bon_core.training.distributed import joined, launched

    with joined(config.training.device) as ranks:
        if not ranks.first:
            return _train_along(name, ranks)
        if launched() and _is_there(name, config):
            return _resume(name, ranks, queue=queue, clock=Clock(spent))
        clock = Clock(spent)
        store.new_path(name)  # refuse a bad name before the data is loaded
        precision_for(config.training.precision, device_for(config.training.device))
        images = load_data(config.data)
        config = settled(config, images)
        with _explained(images):
            for part in ("train", held_out(config)):
                images.part(part)  # both must be there before a run is
            check_measurable(images.labels, images.split)  # not after all the work
            _check_batch(config, images.part("train"))
        print_report(images.report)
        run = store.create(name, config, command=command)
        with run.claimed():
            return _train(run, config, images, ranks, queue=queue, clock=clock)


def resume(name: str, *, queue: bool = False, spent: float = 0.0) -> dict[str, Any]:
    """Continue a run from its checkpoint; one that has none yet starts from the beginning.

    Raises
    ------
    InputError
        If there is no such run, it is finished or still active, or its checkpoint or data cannot be read.
    """
    from bon_core.training.distributed import joined

    with joined(store.open_run(name).config.training.device) as ranks:
        return _resume(name, ranks, queue=queue, clock=Clock(spent)) if ranks.first else _train_along(name, ranks)


def snapshot(name: str, *, device: Device = "auto") -> dict[str, Any]:
    """Take the snapshot of a trained run at the step of its checkpoint."""
    run = store.open_run(name)
    with run.claimed():
        return _take_snapshot(run, load_data(run.config.data), device=device)


def settled(config: RunConfig, data: Data) -> RunConfig:
    """`config` with the backbone that "auto" stands for.

    Raises
    ------
    InputError
        If the backbone does not take such samples.
    """
    fitting = VECTOR_BACKBONES if isinstance(data, VectorSet) else IMAGE_BACKBONES
    name = fitting[0] if config.network.backbone == "auto" else config.network.backbone
    check(
        name in fitting,
        f"The backbone {name} cannot take the {data.UNIT} of {data.name}; take {' or '.join(fitting)}.",
    )
    return replace(config, network=replace(config.network, backbone=name))


@contextlib.contextmanager
def _explained(data: Data) -> Iterator[None]:
    """A refusal inside also says what the reader passed over and noted: often the reason, or a way out."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{error} {data.report.details()}".strip()) from error


def _check_batch(config: RunConfig, train_set: Data) -> None:
    usable = int((np.bincount(train_set.labels) >= 2).sum())
    ways = "add classes or samples" + (", or leave --holdout out" if config.data.holdout else "")
    check(
        usable >= 2,
        f"{counted(usable, 'classes')} for training with two {train_set.UNIT} or more cannot fill a batch, which needs"
        f" 2; {ways}.",
    )
    check(
        config.mining.classes <= usable,
        f"A batch takes {counted(config.mining.classes, 'classes')}, but only {usable} training classes have two"
        f" {train_set.UNIT} or more; give --classes {usable}{' or fewer' if usable > 2 else ''}.",
    )


def _is_there(name: str, config: RunConfig) -> bool:
    path = paths.runs_folder() / store.check_name(name)
    if not (path / "config.json").exists():
        return False
    saved = Run(path).config
    if config.network.backbone == "auto":  # which the run has settled
        config = replace(config, network=replace(config.network, backbone=saved.network.backbone))
    return saved == config


def _resume(name: str, ranks: Any, *, queue: bool, clock: "Clock") -> dict[str, Any]:
    run = store.open_run(name)
    status = run.status()
    check(not status.active, f"Run {name} is still {status.state}; stop it first, or let it finish.")
    check(status.state != "finished", f"Run {name} is finished; train a new one with more --epochs.")
    config = run.config
    images = load_data(config.data)
    with run.claimed():
        return _train(run, config, images, ranks, queue=queue, clock=clock)


def _train_along(name: str, ranks: Any) -> dict[str, Any]:
    """What all processes do but the first: the same steps, and nothing that is written or said."""
    from bon_core.training.run_trainer import RunTrainer

    if ranks.begin():
        folder = paths.runs_folder()
        check(
            (folder / name).exists(),
            f"The run {name} is not in {folder} on {platform.node()}; let BON_RUNS name a folder that all share.",
        )
        run = store.open_run(name)
        trainer = RunTrainer(run.config, load_data(run.config.data).part("train"), run, ranks)
        if run.checkpoint.exists():
            trainer.restore()
        with ranks.failures_explained():
            trainer.fit()
    return {}


def _train(run: Run, config: RunConfig, images: Data, ranks: Any, *, queue: bool, clock: "Clock") -> dict[str, Any]:
    """Everything after the run directory exists and is claimed: whatever happens, its status says how it ended."""
    try:
        return _train_to_end(run, config, images, ranks, queue=queue, clock=clock)
    except InputError as error:
        _fail(run, str(error))
        raise
    except OSError as error:
        reason = _unwritable(run, error)
        _fail(run, reason)
        raise InputError(reason) from error
    except KeyboardInterrupt:
        _end(run, "stopped", "Interrupted; continue with --resume.")
        raise
    except Exception as error:
        _fail(run, f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
        raise


def _train_to_end(
    run: Run, config: RunConfig, images: Data, ranks: Any, *, queue: bool, clock: "Clock"
) -> dict[str, Any]:
    from bon_core.training.run_trainer import RunTrainer

    status = run.status()
    if not status.active:  # resumed
        sweep(run.path)
        run.clear_stop()
        run.write_status(replace(status, state="queued", message="", created=time.time(), **this_process()))
    with clock.halted():
        if queue and not _wait_for_turn(run):
            return _end(run, "stopped", "Stopped while waiting.")
    run.write_status(replace(run.status(), state="running", message="Getting ready."))
    trainer = RunTrainer(config, images.part("train"), run, ranks)
    evaluator = trainer.evaluation.evaluate = Evaluator(run, config, images, device=str(trainer.device))
    if run.checkpoint.exists():
        trainer.load()
        with trainer.pace.costs.of("evaluation"):  # to foresee the end; nothing is written
            evaluator.measured(trainer.network)
    else:
        trainer.rewind()
        with trainer.pace.costs.of("evaluation"):
            evaluator.preview(trainer.network, trainer.step)
    _foresee(trainer, images, clock)
    run.log("began", step=trainer.step, steps=trainer.steps, data=images.name, **_surroundings(trainer))
    ranks.begin()
    with _progress_bar(trainer), ranks.failures_explained():
        outcome = trainer.fit()
    if outcome == "stopped":
        return _end(run, "stopped", f"Stopped at step {trainer.step}; continue with --resume.")
    run.write_status(
        replace(run.status(), step=trainer.step, steps=trainer.steps, seconds_left=trainer.pace.aftermath())
    )
    result = _take_snapshot(run, images, device=config.training.device, seconds=trainer.pace.aftermath())
    write_card(run)
    _end(run, "finished", "")
    return result


class Clock:
    """The seconds that a run has taken of its budget, waiting for others apart."""

    def __init__(self, spent: float):
        from bon_core.training import budget

        self._now = budget.clock
        self._began = self._now() - spent

    @property
    def spent(self) -> float:
        return self._now() - self._began

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """What happens inside takes no time."""
        at = self._now()
        yield
        self._began += self._now() - at


def _foresee(trainer: Any, images: Data, clock: Clock) -> None:
    """Let the trainer know what comes after its last step, and where the config gives minutes, keep to them."""
    from bon_core.training.budget import Budget

    config, run = trainer.config, trainer.run
    minutes = config.training.minutes
    shown = len(drawn_rows(images.labels, MAX_SHOWN))
    after = Aftermath(config, images, trainer.evaluation.evaluate, shown=shown, rehearse=minutes is not None)
    trainer.pace.aftermath = lambda: after.seconds(len(run.previews()) + 1)
    trainer.pace.costs.note("dividing", DIVIDING * trainer.evaluation.evaluate.embedding * len(trainer.train_set))
    if minutes is not None:
        trainer.pace.budget = Budget(60 * minutes, spent=clock.spent + trainer.pace.spent)


def _surroundings(trainer: Any) -> dict[str, Any]:
    """What the log says of the machine: beside the config, all that decides the bits of a run."""
    import torch

    return {
        "device": str(trainer.device),
        "processes": trainer.processes.count,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _unwritable(run: Run, error: OSError) -> str:
    """What kept a run from being written, and how to go on."""
    if not run.path.exists():
        return f"The directory of run {run.name} is gone: it was deleted or moved meanwhile; train it anew."
    if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None)):
        remedy = "make room, then continue from its last checkpoint with --resume"
    else:
        remedy = "give it write access, then continue from its last checkpoint with --resume"
    return f"The run {run.name} could not be written ({error.strerror or error}); {remedy}."


def _fail(run: Run, reason: str, **details: str) -> None:
    """Say so in the status as far as the disk lets us; where it does not, the run is seen to be interrupted."""
    with contextlib.suppress(OSError):
        _end(run, "failed", reason, **details)


def _take_snapshot(run: Run, images: Data, *, device: Device, seconds: float | None = None) -> dict[str, Any]:
    """Embed, measure and map; `seconds` is how long that may take."""
    from bon_core.networks.embedding import embed
    from bon_core.training.device import device_for
    from bon_core.training.run_trainer import RunTrainer

    config = run.config
    trainer = RunTrainer(config, images.part("train"), run)
    check(run.checkpoint.exists(), f"Run {run.name} has no checkpoint to take a snapshot of; train it further.")
    trainer.restore()
    _save_weights(run, trainer.network)
    rows = _shown_rows(run, images)
    shown = images if len(rows) == len(images) else images.take(rows)

    def tell(share: float, text: str) -> None:
        run.log("survey", stage=text, share=share)
        if (status := run.status()).active:
            left = None if seconds is None else seconds * (1 - share)
            run.write_status(replace(status, message=f"{text.capitalize()}.", seconds_left=left))

    tell(0, "embedding")
    embeddings = EmbeddingSet.of(
        embed(trainer.network, shown.samples, device=device_for(device)),
        shown.labels,
        ids=shown.ids,
        class_names=shown.class_names,
    )
    train_rows = np.flatnonzero(images.split == TRAIN)
    if config.mining.batch_miner in ("bon", "lsh"):
        hashing = hashing_of(trainer.sampler.samplers.joint.miner, train_rows, len(images), origin="mined")
        hashing = replace(hashing, stored=hashing.stored[rows])
    else:
        hashing = fitted_hashing(embeddings.vectors)
    shot = build_snapshot(
        run.snapshot_path(trainer.step),
        embeddings,
        shown.split,
        fields=shown.fields,
        hashing=hashing,
        division=_division(trainer, embeddings.vectors, train_rows, rows),
        masks=trainer.network.head.masks(),
        meta={
            "step": trainer.step,
            "epoch": trainer.step / trainer.steps_per_epoch,
            "origin": "trained",
            "data": images.name,
            "intake": images.report.sentence(),
            "baseline": _baseline(run, evaluated(config, images)),
            "drawn_from": len(images) if len(shown) < len(images) else None,
        },
        seed=config.training.seed,
        indexes=paths.indexes_folder(),
        progress=tell,
    )
    tell(0.95, "mapping the film")
    _take_timeline(run, shot)
    return {
        "run": run.name,
        "step": trainer.step,
        "seconds_of_training": round(trainer.seconds, 1),
        "metrics": shot.metrics,
        "without_the_network": shot.meta["baseline"],
        "trustworthiness": shot.meta["trustworthiness"],
        **({"collapse": shot.collapse} if shot.collapse else {}),
    }


def _take_timeline(run: Run, shot: Snapshot) -> None:
    """Map the recorded moments from the last back to the first, beginning with the snapshot's map.

    The film then ends as the map that everybody knows, and each class is from the start where it will be found.
    """
    from bon_core.maps.projection import project_moments

    moments = [moment for moment in map(run.preview, run.previews()) if "neighbours" in moment]
    if not moments:
        return
    ids = moments[0]["ids"]
    tables = [
        NeighbourTable(moment["neighbours"].astype(np.int32), moment["distances"].astype(np.float32))
        for moment in moments
    ]
    xy = project_moments(tables[::-1], np.array(shot.xy[shot.positions(ids)]), seed=run.config.training.seed)[::-1]
    with whole_file(run.timeline_path) as path:
        np.savez_compressed(
            path,
            steps=[int(moment["step"]) for moment in moments],
            ids=ids,
            labels=moments[0]["labels"],
            xy=xy.astype(np.float16),
            projection="umap",
            correct=[moment["correct"] for moment in moments],
        )


def _shown_rows(run: Run, data: Data) -> np.ndarray:
    """The rows of a snapshot: all, or of many a draw, with those that the timeline follows."""
    rows = drawn_rows(data.labels, MAX_SHOWN)
    followed = run.newest_preview()
    if len(rows) == len(data) or followed is None:
        return rows
    return np.union1d(rows, np.flatnonzero(np.isin(data.ids, followed["ids"])))


def _baseline(run: Run, data: Data) -> dict[str, Any]:
    """Retrieval among the same held-out samples without the network, and, for comparison, with it as last evaluated."""
    evaluations = run.events("evaluation")
    found = untrained(data)
    return {**found, "trained": evaluations[-1]["recall@1"] if evaluations else None}


def _save_weights(run: Run, network: Any) -> None:
    """The network alone, for those who want no optimiser with it."""
    from bon_core.training.checkpoint import save_tensors

    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with whole_file(run.path / WEIGHTS) as path:
        save_tensors(weights, path)


def _division(trainer: Any, vectors: np.ndarray, train_rows: np.ndarray, shown: np.ndarray) -> Division:
    if trainer.sampler.clustering is None:
        return fitted_division(vectors, CLUSTERS_TO_LOOK_AT, seed=0)
    clusters = np.full(max(shown.max(), train_rows.max()) + 1, -1, dtype=np.int64)
    clusters[train_rows] = trainer.sampler.clustering.labels
    return Division(clusters=clusters[shown], count=len(trainer.sampler.clustering.centroids), origin="learners")


def _wait_for_turn(run: Run) -> bool:
    """Wait for earlier runs to end; False if a stop was asked for meanwhile."""
    while True:
        before = list(store.waiting_before(run))
        if not before:
            return True
        if run.stop_requested():
            return False
        run.write_status(replace(run.status(), state="queued", message=f"Waiting for {before[-1].name} to end."))
        time.sleep(WAIT_SECONDS)


def _end(run: Run, state: State, message: str, **details: str) -> dict[str, Any]:
    run.log(state, message=message, **details)
    run.clear_stop()
    status = run.status()
    run.write_status(replace(status, state=state, message=message, seconds_left=None))
    return {"run": run.name, "state": state, "step": status.step, "message": message}


@contextlib.contextmanager
def _progress_bar(trainer: Any) -> Iterator[None]:
    """A bar with the time left on standard error, moved by the trainer's status."""
    from tqdm import tqdm

    with tqdm(total=trainer.steps, initial=trainer.step, unit="step", desc=trainer.run.name, mininterval=0.5) as bar:

        def show(trainer: Any) -> None:
            figures = {"loss": trainer.step_log.loss, "recall@1": trainer.evaluation.figures.get("recall@1")}
            known = {name: f"{value:.3f}" for name, value in figures.items() if value is not None}
            bar.set_postfix(known, refresh=False)
            bar.total = trainer.steps  # which a budget in minutes changes
            bar.update(trainer.step - bar.n)

        trainer.status.show = show
        yield
