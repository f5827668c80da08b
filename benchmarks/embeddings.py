"""Frozen embeddings: what a head over a million of them brings and costs, and whether ten million stay on disk.

    python -m benchmarks.embeddings [--folder DIR]

Vectors of 128 values are drawn: a class shows in 32 directions, what all classes vary in alike fills the others, and
all directions are mixed. Half of the classes train, the others test. Each training is a process of its own, on two
threads; the run's own records give its figures. Needs 4 GB in DIR for some minutes. Writes
benchmarks/results/embeddings.md.
"""

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin while they wait slow whatever else is at work

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.report import machine, write_report

WIDTH, TELLING, CLASS_SIZE = 128, 32, 50
NOISE, COMMON = 1.0, 2.0  # deviation within a class, and of what classes vary in alike; class centres deviate by 1
BLOCK = 100_000
MILLION, TEN_MILLION = 1_000_000, 10_000_000
RACES = {  # name: rows, settings of mining, learners, steps
    "uniform batches": (MILLION, {"miner": "uniform"}, 1, 3000),
    "Bag of Negatives": (MILLION, {"miner": "bon"}, 1, 3000),
    "Bag of Negatives, 4 learners": (MILLION, {"miner": "bon"}, 4, 3000),
    "Bag of Negatives, ten million": (TEN_MILLION, {"miner": "bon"}, 1, 1500),
}


def kind_of(rows: int) -> str:
    """How the values are stored: float32, or float16 where a file would have more than a million rows."""
    return "float32" if rows <= MILLION else "float16"


def draw(folder: Path, rows: int) -> Path:
    """A file of vectors and one of labels beside it; classes lie scattered over the file."""
    path = folder / f"{rows}.npy"
    rng = np.random.default_rng(rows)
    labels = rng.permutation(rows // CLASS_SIZE).repeat(CLASS_SIZE)
    rng.shuffle(labels)
    centres = rng.standard_normal((rows // CLASS_SIZE, TELLING), dtype=np.float32)
    mixed = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0].astype(np.float32)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=kind_of(rows), shape=(rows, WIDTH))
    for start in range(0, rows, BLOCK):
        part = rng.standard_normal((min(BLOCK, rows - start), WIDTH), dtype=np.float32)
        part[:, :TELLING] = centres[labels[start : start + BLOCK]] + NOISE * part[:, :TELLING]
        part[:, TELLING:] *= COMMON
        file[start : start + BLOCK] = part @ mixed
    file.flush()
    np.save(folder / f"{rows}_labels.npy", labels)
    return path


def train(path: Path, mining: dict, learners: int, steps: int) -> dict:
    """Train one head and tell what it took. Meant for a process of its own."""
    peak = Peak()
    os.environ["BON_RUNS"] = tempfile.mkdtemp(dir=path.parent)
    import torch

    from bon_core.config import DataConfig, DivisionConfig, MiningConfig, RunConfig, TrainingConfig
    from bon_core.datasets import load_data
    from bon_core.runs import store
    from bon_core.training import evaluator, experiment
    from bon_core.training.run_trainer import RunTrainer

    torch.set_num_threads(2)
    began = time.perf_counter()
    data = load_data(DataConfig(name=str(path)))
    train_set = data.part("train")
    loaded = time.perf_counter() - began
    config = RunConfig(
        data=DataConfig(name=str(path)),
        mining=MiningConfig(**mining),
        division=DivisionConfig(learners=learners),
        training=TrainingConfig(
            epochs=steps * 128 / len(train_set), device="cpu", evaluate_every=1e5, checkpoint_every=1e5
        ),
    )
    config = experiment.settled(config, data)
    run = store.create("head", config)
    trainer = RunTrainer(config, train_set, run)
    trainer.evaluation.evaluate = evaluator.Evaluator(run, config, data, device="cpu")
    before = evaluator.untrained(evaluator.evaluated(config, data))
    trainer.fit()
    logged, evaluated = run.events("step"), run.events("evaluation")[-1]
    later = logged[len(logged) // 10 :]
    return {
        "loaded": loaded,
        "seconds": trainer.seconds,
        "step_ms": 1000 * trainer.seconds / trainer.step,
        "mining_ms": float(np.median([event["mining_ms"] for event in later])),
        "wait": float(np.mean([event["input_wait"] for event in later])),
        "before": before["recall@1"],
        "after": evaluated["recall@1"],
        "queries": evaluated["queries"],
        **peak.figures(),
    }


class Peak:
    """The most memory that was this process's own at any time; pages of a mapped file are the system's to take back."""

    def __init__(self):
        self.own = self.start = self._now("RssAnon")
        threading.Thread(target=self._watch, daemon=True).start()

    def figures(self) -> dict[str, float]:
        return {"own_gb": self.own / 2**20, "with_file_gb": self._now("VmHWM") / 2**20}

    def _watch(self) -> None:
        while True:
            self.own = max(self.own, self._now("RssAnon"))
            time.sleep(0.02)

    @staticmethod
    def _now(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))  # kB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the vectors are put")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        path, *rest = json.loads(given.one)
        print(json.dumps(train(Path(path), *rest)))
        return
    found = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        paths: dict[int, Path] = {}
        for name, (rows, *settings) in RACES.items():
            if rows not in paths:
                paths[rows] = draw(Path(folder), rows)
            command = [
                sys.executable,
                "-m",
                "benchmarks.embeddings",
                "--one",
                json.dumps([str(paths[rows]), *settings]),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name] = json.loads(done.stdout.splitlines()[-1])
            print(name, found[name], flush=True)
    lines = [
        machine(),
        "",
        f"Written by `python -m benchmarks.embeddings`: drawn vectors of {WIDTH} values, {CLASS_SIZE} a class; a linear"
        " head of 128, margin loss, batches of 32 classes x 4, dropout 0.2; the file is mapped, not read. Recall@1"
        f" among {found['Bag of Negatives']['queries']:,} held-out vectors of classes never trained on, before (the"
        " vectors as they come) and after. One seed.",
        "",
        "| training | rows | steps | training, s | a step, ms | of it mining, ms | waiting for the file |"
        " Recall@1 before | after |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {name} | {RACES[name][0]:,} {kind_of(RACES[name][0])} | {RACES[name][3]:,} | {row['seconds']:.0f} |"
            f" {row['step_ms']:.1f} | {row['mining_ms']:.2f} | {row['wait']:.1%} | {row['before']:.3f} |"
            f" {row['after']:.3f} |"
            for name, row in found.items()
        ),
        "",
        "Memory of the training process at its peak; the pages of the file that the system keeps beside it are its to"
        " take back.",
        "",
        "| training | file, GB | checked and mapped in, s | own memory, GB | with pages of the file, GB |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {RACES[name][0] * WIDTH * np.dtype(kind_of(RACES[name][0])).itemsize / 1e9:.2f} |"
            f" {row['loaded']:.1f} | {row['own_gb']:.2f} | {row['with_file_gb']:.2f} |"
            for name, row in found.items()
        ),
    ]
    write_report("embeddings", "Heads on frozen embeddings", lines)


if __name__ == "__main__":
    main()
