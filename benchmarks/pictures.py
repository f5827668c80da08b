"""Does the training wait for pictures that stay on disk? The same steps from files and from memory.

    python -m benchmarks.pictures

JPEG files are drawn, each class a pattern of colours; they are read once as a set that fits into memory, and once as
one that does not. Step times stand side by side, with the share of them that was spent waiting for a batch.
Writes benchmarks/results/pictures.md; wants a quiet machine.
"""

import os
import statistics
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.report import machine, write_report
from bon_core.config import Backbone, DataConfig, DivisionConfig, MiningConfig, NetworkConfig, RunConfig, TrainingConfig
from bon_core.datasets import folder, load_images
from bon_core.runs import store

CLASSES, OF_EACH = 100, 60
SIDES = (400, 300)  # pixels of a file
SIZE = 64  # pixels of what the network sees
BACKBONES: dict[Backbone, int] = {"conv4": 120, "efficientnet-lite0": 40}  # steps
REPEATS = 3
BAR = 0.05


def draw(place: Path) -> None:
    """Write the files, a folder a class."""
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (place / f"{label:03d}").mkdir(parents=True)
        pattern = rng.integers(0, 256, (6, 8, 3))
        for number in range(OF_EACH):
            noisy = np.clip(pattern + rng.normal(0, 30, pattern.shape), 0, 255).astype(np.uint8)
            smooth = np.asarray(Image.fromarray(noisy).resize(SIDES, Image.Resampling.BICUBIC), np.int16)
            grain = rng.integers(-12, 13, (SIDES[1], SIDES[0], 1))
            picture = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
            picture.save(place / f"{label:03d}" / f"{number:03d}.jpg", quality=90)


def train(place: Path, backbone: Backbone, *, stays: bool) -> tuple[float, float]:
    """Milliseconds a step, and the share of them that was waited for a batch."""
    from bon_core.training.run_trainer import RunTrainer

    data = DataConfig(name=str(place), image_size=SIZE)
    with mock.patch.object(folder, "MAX_MEMORY", 0 if stays else folder.MAX_MEMORY):
        images = load_images(data).part("train")
    epochs = BACKBONES[backbone] / (len(images) // MiningConfig().batch)
    config = RunConfig(
        data=data,
        network=NetworkConfig(backbone=backbone),
        division=DivisionConfig(learners=1),
        training=TrainingConfig(epochs=epochs, device="cpu", checkpoint_every=1e6, audit_every=10),
    )
    run = store.create(f"{backbone}-{'files' if stays else 'memory'}-{len(store.list_runs())}", config)
    RunTrainer(config, images, run).fit()
    logged = run.events("step")[1:]  # the first holds what is done once
    return (
        statistics.median(event["step_ms"] for event in logged),
        float(np.mean([event["input_wait"] for event in logged])),
    )


def main() -> None:
    load = os.getloadavg()[0]
    rows, verdicts = [], []
    with tempfile.TemporaryDirectory() as home:
        os.environ["BON_RUNS"] = str(Path(home) / "runs")
        place = Path(home) / "pictures"
        draw(place)
        size = sum(file.stat().st_size for file in place.rglob("*.jpg")) / (CLASSES * OF_EACH) / 1000
        for backbone in BACKBONES:
            found: dict[bool, list] = {stays: [] for stays in (False, True)}
            for _ in range(REPEATS):
                for stays, taken in found.items():
                    taken.append(train(place, backbone, stays=stays))
                    print(backbone, "files" if stays else "memory", taken[-1], flush=True)
            memory, files = (statistics.median(step for step, _ in found[stays]) for stays in (False, True))
            wait = statistics.median(share for _, share in found[True])
            rows.append(f"| {backbone} | {memory:.0f} | {files:.0f} | {files / memory:.2f} | {wait:.1%} |")
            verdicts.append(
                f"- {backbone}: {wait:.1%} of the training is waiting for pictures, bar {BAR:.0%}:"
                f" {'held' if wait <= BAR else '**missed**'}"
            )
    write_report(
        "pictures",
        "Pictures that stay on disk",
        [
            f"{machine()} Written by `python -m benchmarks.pictures`. Load of the machine before: {load:.1f} (0 is"
            " quiet).",
            "",
            f"{CLASSES * OF_EACH:,} drawn JPEG files of {SIDES[0]} x {SIDES[1]} pixels, {size:.0f} kB each in the mean,"
            f" for networks of {SIZE} px; batches of {MiningConfig().batch}. From files, the next batch is"
            " decoded by threads while a step is at work; on a machine without a GPU both want the same cores."
            f" {REPEATS} times in turn, the median.",
            "",
            "| backbone | a step from memory, ms | from files, ms | ratio | of it waiting |",
            "|---|---|---|---|---|",
            *rows,
            "",
            *verdicts,
        ],
    )


if __name__ == "__main__":
    main()
