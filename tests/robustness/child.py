"""A small training in a process of its own, which dies or loses its disk at a moment that the test names.

Run in children of a fork server that has loaded the heavy libraries, so that a training starts in milliseconds.
"""

import multiprocessing
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import faiss  # noqa: F401  this and others that are not used here are loaded once, for all children
import kornia.augmentation  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytorch_metric_learning.losses
import pytorch_metric_learning.miners  # noqa: F401
import torch
import torch._dynamo

from bon_core.config import (
    DataConfig,
    DivisionConfig,
    InputError,
    MiningConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
)
from bon_core.training import checkpoint, experiment
from bon_core.training.callbacks.checkpoints import Checkpoint

NAME = "run"
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """When a training is hit. Each number counts from 1; None: not at all.

    operation : killed before this write, rename, removal or new folder below the runs folder
    half : killed inside the writing of this checkpoint, with half of its bytes on the disk
    full : the disk takes no file larger than a quarter of a checkpoint once this checkpoint is saved
    vanishes : the run's directory is deleted once this checkpoint is saved
    """

    operation: int | None = None
    half: int | None = None
    full: int | None = None
    vanishes: int | None = None


def config(data: Path) -> RunConfig:
    """39 steps of 18 images in all four phases; a checkpoint every four steps."""
    return RunConfig(
        data=DataConfig(name=str(data)),
        network=NetworkConfig(dim=12),
        mining=MiningConfig(classes=6, images=3, groups=2),
        division=DivisionConfig(learners=3, warmup=0.25, split=0.4, conquer=0.1, recluster_every=1),
        training=TrainingConfig(epochs=3, device="cpu", checkpoint_every=0.3, evaluate_every=0.6),
    )


def start(folder: Path, data: Path, trouble: Trouble | None = None, *, mapped: bool = False) -> multiprocessing.Process:
    """Begin or resume the run in `folder`, with or without the map at its end; last words are in `folder`/words."""
    child = CONTEXT.Process(target=_train, args=(folder, data, trouble or Trouble(), mapped))
    child.start()
    return child


def _train(folder: Path, data: Path, trouble: Trouble, mapped: bool) -> None:
    os.environ["BON_RUNS"] = str(folder)
    torch.set_num_threads(1)
    words = (folder / "words").open("w")
    os.dup2(words.fileno(), sys.stderr.fileno())
    if not mapped:
        experiment._take_snapshot = lambda *_, **__: {}
        experiment.write_card = lambda run: None
    _prepare(folder, trouble)
    try:
        if (folder / NAME / "config.json").exists():
            experiment.resume(NAME)
        else:
            experiment.train(NAME, config(data), command="as tested")
    except InputError as error:
        (folder / "refused").write_text(str(error))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _prepare(folder: Path, trouble: Trouble) -> None:
    if trouble.operation is not None:
        _count_operations(folder, trouble.operation)
    save_file, save, count = checkpoint.save_file, Checkpoint.save, iter(range(1, 1000))

    def save_half(tensors, path, metadata=None):
        save_file(tensors, path, metadata=metadata)
        if metadata is not None and next(count) == trouble.half:
            os.truncate(path, Path(path).stat().st_size // 2)
            _die()

    def save_and_lose(callback, trainer):
        save(callback, trainer)
        number = next(count)
        if number == trouble.full:
            size = trainer.run.checkpoint.stat().st_size // 4
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        if number == trouble.vanishes:
            trainer.run.path.rename(folder / "elsewhere")

    if trouble.half is not None:
        checkpoint.save_file = save_half
    elif trouble.full or trouble.vanishes:
        Checkpoint.save = save_and_lose


def _count_operations(folder: Path, last: int) -> None:
    """Die before operation number `last` on the files of `folder`, of whatever part of the program."""
    seen = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        writes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if writes and str(arguments[0]).startswith(str(folder)):
            seen += 1
            if seen == last:
                _die()

    sys.addaudithook(watch)
