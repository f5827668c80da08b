"""How much faster do two processes train than one, and what does each do that grows with the data set?

    python -m benchmarks.scaling
    python -m benchmarks.scaling --steps 20 --repeats 1 --samples 100000    # a quick look, which writes as well

The same training of conv4 on glyphs, 128 images a step in all: by one process with one thread, by two with one thread
each under torchrun, and by one with two threads, also without keeping freed memory, three times in turn; beside them,
two trainings that know nothing of each other, which is what the machine could do at most; and the first two again on
glyphs of twice the width and height, where the messages of a step weigh less. Then, for a million and ten million
samples, what a process does now and then with all of them, by CPU time. Writes benchmarks/results/scaling.md; wants a
quiet machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import machine, write_report
from bon_core.config import DataConfig, DivisionConfig, RunConfig, TrainingConfig
from bon_core.runs import store

BAR = 0.8
SAMPLES = (1_000_000, 10_000_000)


class Way(NamedTuple):
    """How a training is run: how many of it at once, processes of each, threads of a process."""

    trainings: int
    processes: int
    threads: int
    keeps: bool = True  # freed memory, for the next step
    larger: int = 1  # times the width and height of the images


ONE, TWO = Way(1, 1, 1), Way(1, 2, 1)
LARGE_ONE, LARGE_TWO = ONE._replace(larger=2), TWO._replace(larger=2)
WAYS = {
    "1 process, 1 thread": ONE,
    "2 processes, 1 thread each": TWO,
    "2 trainings apart, 1 thread each": Way(2, 1, 1),
    "1 process, 2 threads": Way(1, 1, 2),
    "1 process, 2 threads, freed memory given back": Way(1, 1, 2, keeps=False),
    "64 px: 1 process, 1 thread": LARGE_ONE,
    "64 px: 2 processes, 1 thread each": LARGE_TWO,
}


def train(folder: Path, steps: int, keeps: bool, larger: int) -> None:
    """One of the processes: train without evaluation, and write down when which step was done."""
    from bon_core.datasets import load_images
    from bon_core.training import loop
    from bon_core.training.distributed import joined
    from bon_core.training.run_trainer import RunTrainer

    if not keeps:
        loop.freed_memory_kept = nullcontext  # type: ignore[assignment]  # which does as well
    os.environ["BON_RUNS"] = str(folder)
    images = load_images(DataConfig()).part("train")
    images = replace(images, images=images.images.repeat(larger, axis=1).repeat(larger, axis=2))
    epochs = steps / (len(images) // 128)
    config = RunConfig(
        division=DivisionConfig(learners=1),
        training=TrainingConfig(epochs=epochs, device="cpu", checkpoint_every=1e6, audit_every=10),
    )
    with joined("cpu") as ranks:
        if ranks.first:
            store.create("run", config)
        ranks.begin()
        trainer = RunTrainer(config, images, store.open_run("run"), ranks)
        marks = []
        trainer.status.show = lambda trainer: marks.append((trainer.step, time.perf_counter()))  # about once a second
        trainer.fit()
        if ranks.first:
            losses = [event["loss"] for event in trainer.run.events("step")]
            (folder / "found.json").write_text(json.dumps({"marks": marks, "losses": losses}))


def measured(way: Way, steps: int) -> tuple[float, list[float]]:
    """Images a second once it runs, of all trainings together, and the losses of every tenth step of one."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={way.processes}"]
    command += ["-m", "benchmarks.scaling", "--steps", str(steps), *([] if way.keeps else ["--gives-back"])]
    command += ["--larger", str(way.larger)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(way.threads)}
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(way.trainings)]
        begun = [
            subprocess.Popen([*command, "--train", folder], env=environment, stderr=subprocess.DEVNULL)
            for folder in folders
        ]
        if any([process.wait() for process in begun]):
            raise SystemExit(f"A training of {way} failed.")
        found = [json.loads((Path(folder) / "found.json").read_text()) for folder in folders]
    rate = 0.0
    for one in found:
        (first, started), (last, ended) = one["marks"][1], one["marks"][-1]
        rate += 128 * (last - first) / (ended - started)
    return rate, found[0]["losses"]


def growth(count: int) -> str:
    """One row of a table: CPU seconds of one thread for work over all N samples."""
    import numpy as np
    import torch

    from bon_core.division.clustering import cluster
    from bon_core.mining import BagOfNegatives
    from bon_core.training.distributed import checksum

    def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
        began = time.process_time()
        found = work()
        return time.process_time() - began, found

    torch.set_num_threads(1)
    labels, draws = torch.arange(count) // 50, torch.Generator().manual_seed(0)
    making, bag = seconds(lambda: BagOfNegatives(labels))
    some = torch.nn.functional.normalize(torch.randn(4096, 128, generator=draws), dim=1)
    drawn = torch.randperm(count, generator=draws)[:200_000]
    hashing, _ = seconds(lambda: [bag.rehash(ids, some[: len(ids)]) for ids in drawn.split(4096)])
    looking, _ = seconds(bag.stats)
    copying, state = seconds(bag.state_dict)
    comparing, _ = seconds(lambda: checksum(state))
    clustered = count // 50  # linear in the samples
    vectors = np.random.default_rng(0).standard_normal((clustered, 128), dtype=np.float32)
    dividing, _ = seconds(lambda: cluster(vectors, 8, seed=0))
    times = (making, hashing * count / len(drawn), looking, copying, comparing, dividing * count / clustered)
    return f"| {count:,} | {' | '.join(f'{each:.2g}' for each in times)} |"


def main(steps: int, repeats: int, samples: Sequence[int]) -> None:
    load = os.getloadavg()[0]
    rates: dict[Way, list[float]] = {way: [] for way in WAYS.values()}
    losses = {}
    for _ in range(repeats):
        for name, way in WAYS.items():
            rate, losses[way] = measured(way, steps)
            rates[way].append(rate)
            print(f"{name}: {rate:.0f} images/s", flush=True)
    apart = max(abs(two / one - 1) for one, two in zip(losses[ONE], losses[TWO], strict=True))
    table = [
        f"| {name} | {statistics.median(rates[way]):.0f} | {min(rates[way]):.0f} to {max(rates[way]):.0f}"
        f" | {statistics.median(rates[way]) / statistics.median(rates[ONE._replace(larger=way.larger)]):.2f} |"
        for name, way in WAYS.items()
    ]
    write_report(
        "scaling",
        "Two processes",
        [
            f"{machine()} Written by `python -m benchmarks.scaling`.",
            "",
            f"conv4 on glyphs of 32 px, undivided, Bag of Negatives, distance-weighted choice in the batch: {steps}"
            f" steps of 128 images in all, {repeats} times in turn, the median and the range. The processes talk over"
            " gloo. At 64 px each pixel stands four times: the work of a step grows, its messages do not. Load of the"
            f" machine before: {load:.1f} (0 is quiet).",
            "",
            "| | images a second | range | times one |",
            "|---|---|---|---|",
            *table,
            "",
            *(
                f"- efficiency of two processes on two cores at {32 * one.larger} px: {verdict(one, two, rates)}"
                for one, two in ((ONE, TWO), (LARGE_ONE, LARGE_TWO))
            ),
            f"- losses of two processes are those of one within {apart:.1e} of their value over {steps} steps",
            "",
            "## What grows with the data set",
            "",
            "CPU seconds of one thread for all N samples, D = 128: making the index of classes and the table; hashing"
            " (from 200,000); the health of the buckets; copying the table for a checkpoint; its checksum; k-means into"
            " 8 clusters from cold (from a fiftieth of the samples, which are noise: as many rounds as there can be).",
            "",
            "| N | make | hash | health | copy | checksum | cluster |",
            "|---|---|---|---|---|---|---|",
            *map(growth, samples),
        ],
    )


def verdict(one: Way, two: Way, rates: dict[Way, list[float]]) -> str:
    efficiency = [both / (2 * alone) for alone, both in zip(rates[one], rates[two], strict=True)]
    typical = statistics.median(efficiency)
    return (
        f"{typical:.2f} of ideal ({min(efficiency):.2f} to {max(efficiency):.2f} in each turn), bar {BAR}:"
        f" {'held' if typical >= BAR else '**missed**'}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, metavar="FOLDER", help="be one of the processes")
    parser.add_argument("--gives-back", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--larger", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES)
    given = parser.parse_args()
    if given.train:
        train(given.train, given.steps, not given.gives_back, given.larger)
    else:
        main(given.steps, given.repeats, given.samples)
