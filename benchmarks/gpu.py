"""How fast does a training run on the GPU, and what of it is mining?

    python -m benchmarks.gpu

The trainer as it is, on made-up images that stay on the card: each backbone in float32, in bfloat16, and compiled.
Mining is timed between CUDA events around compose and update; the cost of mining for up to 100 million samples is in
benchmarks/mining_cost.py. Beside it stand what the card copies and multiplies a second in the same run. Writes
benchmarks/results/gpu.md, or says that there is no card.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from benchmarks.report import machine, write_report
from bon_core.config import DivisionConfig, MiningConfig, NetworkConfig, RunConfig, TrainingConfig
from bon_core.datasets.image_set import TRAIN, ImageSet
from bon_core.runs import store
from bon_core.training.loop import Trainer
from bon_core.training.run_trainer import RunTrainer

CLASSES, IMAGES_A_CLASS = 1000, 20
SIZES = {"conv4": (32, 1), "efficientnet-lite0": (112, 3)}  # pixels, channels
BATCHES = (128, 512)
WAYS = {
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, compiled": {"precision": "bfloat16", "compile": True},
}
SECONDS = 8.0  # of each measurement, once it runs


def made_up(size: int, channels: int) -> ImageSet:
    shape = (CLASSES * IMAGES_A_CLASS, size, size, *([3] if channels == 3 else []))
    labels = np.repeat(np.arange(CLASSES), IMAGES_A_CLASS)
    return ImageSet(
        name="made up",
        images=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8),
        labels=labels,
        class_names=tuple(map(str, range(CLASSES))),
        split=np.full(len(labels), TRAIN, dtype=np.uint8),
        ids=np.arange(len(labels)),
    )


class Watched:
    """Stops a trainer after SECONDS, and times what it spends on composing and updating."""

    def __init__(self, trainer: RunTrainer):
        self.trainer, self.on_gpu = trainer, trainer.device.type == "cuda"
        self.spans: list[tuple[Any, Any]] = []
        self.marks: list[tuple[int, float]] = []
        for name in ("sample", "update"):
            setattr(trainer.sampler.samplers, name, self._timed(getattr(trainer.sampler.samplers, name)))
        trainer.status.show = self._mark

    def _timed(self, work):
        def timed(*given):
            began = self._now()
            found = work(*given)
            self.spans.append((began, self._now()))
            return found

        return timed

    def _now(self) -> float | torch.cuda.Event:
        if not self.on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _mark(self, trainer: Trainer) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()
        self.marks.append((trainer.step, time.perf_counter()))
        if self.marks[-1][1] - self.marks[min(2, len(self.marks) - 1)][1] > SECONDS:  # the first two warm up
            self.trainer.run.request_stop()

    def read(self) -> tuple[float, float]:
        """Milliseconds a step, and of mining a step: medians."""
        steps = [1000 * (end - start) / (last - first) for (first, start), (last, end) in pairwise(self.marks[2:])]
        spent = [a.elapsed_time(b) if self.on_gpu else 1000 * (b - a) for a, b in self.spans[len(self.spans) // 2 :]]
        return float(np.median(steps)), 2 * float(np.mean(spent))  # compose and update take turns


def measure(images: ImageSet, backbone: Any, batch: int, way: Any, device: Any) -> tuple[float, float]:
    config = RunConfig(
        network=NetworkConfig(backbone=backbone),
        mining=MiningConfig(classes=batch // 4, in_batch="batch-hard"),
        division=DivisionConfig(learners=1),
        training=TrainingConfig(epochs=1000, device=device, audit_every=10, checkpoint_every=1e6),
    )
    config = replace(config, training=replace(config.training, loss="triplet", **way))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BON_RUNS"] = folder
        trainer = RunTrainer(config, images, store.create("run", config))
        watched = Watched(trainer)
        trainer.fit()
    return watched.read()


def card(device: str) -> str:
    """What it is, and what it copies and multiplies, measured now."""
    big = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    rates = []
    for work, amount in ((lambda: big @ big, 2 * 8192**3 / 1e12), (big.clone, 2 * big.nbytes / 1e12)):
        for _ in range(3):
            work()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(20):
            work()
        end.record()
        torch.cuda.synchronize()
        rates.append(20 * amount / (start.elapsed_time(end) / 1000))
    return (
        f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}; it multiplies {rates[0]:.0f} TFLOP/s in bfloat16"
        f" and copies {rates[1]:.2f} TB/s, reading and writing."
    )


def main(device: str) -> None:
    rows = []
    for backbone, (size, channels) in SIZES.items():
        if backbone == "efficientnet-lite0" and find_spec("efficientnet_lite_pytorch") is None:
            continue
        images = made_up(size, channels)
        for batch in BATCHES:
            for name, way in WAYS.items() if device == "cuda" else [("float32", WAYS["float32"])]:
                step, mining = measure(images, backbone, batch, way, device)
                rows.append(
                    f"| {backbone}, {size} px | {batch} | {name} | {step:.2f} | {1000 * batch / step:,.0f}"
                    f" | {mining:.3f} | {mining / step:.1%} |"
                )
                print(rows[-1], flush=True)
    if device == "cuda":
        head = "| backbone | batch | computes in | ms a step | images a second | ms of mining | share |"
        lines = [f"{machine()} {card(device)} Written by `python -m benchmarks.gpu`.", "", head, "|---|" + "---|" * 6]
        write_report("gpu", "Training on a GPU", [*lines, *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--try-on-cpu", action="store_true", help="where there is no card; writes nothing")
    on_cpu = parser.parse_args().try_on_cpu
    if not (on_cpu or torch.cuda.is_available()):
        sys.exit("There is no CUDA device here, so there is nothing to measure; run this on a machine with one.")
    main("cpu" if on_cpu else "cuda")
