"""One training of a comparison: fixed steps, one thread, recall on classes it never saw; its result is a table row.

The trainer is the product's own. Methods of a data set differ in mining or division alone.
"""

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # two runs at once: threads that spin while they wait slow both

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import photographs, results_table
from bon_core.config import DataConfig, DivisionConfig, Loss, MiningConfig, NetworkConfig
from bon_core.datasets import load_images
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.division import DivideAndConquer, Partition
from bon_core.division.heads import build_head
from bon_core.mining import BatchMiner
from bon_core.networks.embedding import batch_of
from bon_core.networks.network import EmbeddingNetwork, build_network
from bon_core.runs.build_snapshot import measure
from bon_core.training.augmentation import Augmentation
from bon_core.training.budget import Plan
from bon_core.training.callbacks.callback import Callback, StepOutput
from bon_core.training.loop import Trainer
from bon_core.training.metric_loss import MetricLoss

DIM, MARGIN = 64, 0.2
IMAGE_SIZE = 20  # pixels, of glyphs and Omniglot: small images, so that many runs fit an afternoon
LOOK_CLASSES = 150  # held-out classes that the curve is drawn from; the last figures are of all
LOOKS = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)  # of the steps, when the curve is taken
LOG_EVERY = 10  # steps, as in the trainer
HELD_OUT = 0.3  # of the training classes, while settings are chosen
CACHE = Path(__file__).resolve().parent.parent / "data" / "cache"
SOURCES = {  # data that does not come with the project
    "omniglot": "folder or file of Omniglot, if not in data/cache",
    "grocery": ".npz of photographs, see benchmarks/photographs.py",
    "cub": "likewise",
    "cars": "likewise",
}
CHARACTERS = ("glyphs", "omniglot", "omniglot-rotations")
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What to train: a data set, a method, a number of steps and a seed."""

    data: str  # glyphs, omniglot, omniglot-rotations, or the name of a file of photographs
    method: str  # its name in tables
    mining: dict[str, Any] = field(default_factory=dict)  # fields of MiningConfig
    division: dict[str, Any] = field(default_factory=dict)  # fields of DivisionConfig; undivided unless it says so
    loss: Loss = "triplet"
    dim: int = DIM
    steps: int = 10_000
    seed: int = 0
    tuning: bool = False  # on held-out training classes instead of the test classes

    @property
    def name(self) -> str:
        """What its row is called; it says all that differs within a study."""
        method = re.sub(r"[^A-Za-z0-9.]+", "-", self.method)
        return f"{self.data}/{method}-{self.steps}-{'tuning-' if self.tuning else ''}{self.seed}"


@dataclass(frozen=True)
class TrialData:
    """The data of a trial: training samples, those to test on, and a fresh network for them."""

    samples: Any  # (N, ...), as the trainer takes them
    labels: Tensor  # (N,) int64
    augment: Augmentation | None
    tests: Tensor  # network input of all test samples
    test_labels: np.ndarray
    network: Callable[[int, DivisionConfig], EmbeddingNetwork]  # seed -> network


Watch = Callable[[EmbeddingNetwork, TrialData, BatchMiner, MiningConfig], dict[str, Any]]


def data_of(trial: Trial, sources: dict[str, Path]) -> TrialData:
    """Load the data; `sources` says where those lie that do not come with the project."""
    if trial.data in CHARACTERS:
        return _characters(trial, sources)
    return _photographs(trial, sources[trial.data])


Trained = tuple[EmbeddingNetwork, DivideAndConquer]


class Notes(Callback):
    """What a trial writes down: the curve of recall, and how hard the batches were."""

    def __init__(self, trial: Trial, data: TrialData, mining: MiningConfig, watch: Watch | None, trained: Trained):
        self.network, self.sampler = trained
        self.data, self.mining, self.watch = data, mining, watch
        self.looks = {round(share * trial.steps) for share in LOOKS}
        self.curve: list[dict[str, Any]] = []
        self.active: list[dict[str, Any]] = []
        self.seconds = self.mining_seconds = self.clustering_seconds = 0.0

    def on_clustering_end(self, trainer: Trainer, partition: Partition, seconds: float) -> None:
        self.clustering_seconds += seconds

    def on_train_batch_end(self, trainer: Trainer, output: StepOutput) -> None:
        self.seconds, self.mining_seconds = trainer.seconds, self.mining_seconds + output.mining_seconds
        if output.step % LOG_EVERY == 0:
            active = float(output.mined.active.float().mean())
            self.active.append({"share": trainer.sampler.mate_share_at(output.step), "active": active})
            trainer.sampler.observe(active)
        if trainer.step in self.looks or trainer.is_over:
            self.curve.append({"step": trainer.step, "seconds": self.seconds})
            self.curve[-1] |= _measured(self.network, self.data, LOOK_CLASSES)
            if not trainer.is_over:
                miner = self.sampler.samplers.joint.miner
                self.curve[-1]["stats"] = miner.stats()
                if self.watch is not None:
                    self.curve[-1] |= self.watch(self.network, self.data, miner, self.mining)
                self.network.train()


def run(trial: Trial, sources: dict[str, Path], watch: Watch | None = None) -> dict[str, Any]:
    """Train with the product's trainer and measure; returns what its row holds. What `watch` says is part of the
    curve."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    data = data_of(trial, sources)
    mining = MiningConfig(**{"classes": 8, "images": 2, "groups": 2, "in_batch": "batch-hard", **trial.mining})
    division = DivisionConfig(**{"learners": 1, **trial.division})
    network = data.network(trial.seed, division)
    memory = mining.memory if mining.miner == "xbm" else 0
    loss = MetricLoss(trial.loss, mining.in_batch_miner, MARGIN, memory=memory, widths=[trial.dim])
    sampler = DivideAndConquer(
        data.labels, network.head, steps=trial.steps, mining=mining, division=division, seed=trial.seed
    )
    notes = Notes(trial, data, mining, watch, (network, sampler))
    trainer = Trainer(
        network,
        (data.samples, data.labels),
        sampler,
        loss,
        callbacks=[notes],
        lr_schedule=Plan(trial.steps).rate_at,
        augment=data.augment,
        seed=trial.seed,
        device="cpu",
    )
    trainer.fit()
    return {
        **asdict(trial),
        "settings": asdict(mining),
        "samples": len(data.labels),
        "classes": len(data.labels.unique()),
        "seconds": trainer.seconds,
        "mining_seconds": notes.mining_seconds,
        "clustering_seconds": notes.clustering_seconds,
        "final": _measured(network, data, None),
        "untrained": _judged(data.tests.flatten(1).numpy(), data.test_labels),
        "curve": notes.curve,
        "noted": _thinned(notes.active),
    }


def keep(result: dict[str, Any], table: Path) -> None:
    """Write a result into its study's table, under its trial's name."""
    trial = Trial(**{name: result[name] for name in Trial.__dataclass_fields__})
    results_table.add(table, {trial.name: _rounded(result)})


def _characters(trial: Trial, sources: dict[str, Path]) -> TrialData:
    name = trial.data.removesuffix("-rotations")
    path = str(sources[name]) if name in sources else None
    holdout = HELD_OUT if trial.tuning else 0.0
    images = load_images(DataConfig(name=name, path=path, image_size=IMAGE_SIZE, holdout=holdout))
    train, tests = images.part("train"), images.part("validation" if trial.tuning else "test")
    pictures, labels = train.images, train.labels
    if trial.data.endswith("-rotations"):  # a turned character is another character
        pictures = np.concatenate([np.rot90(pictures, turn, (1, 2)) for turn in range(4)])
        labels = np.concatenate([labels + turn * len(train.class_names) for turn in range(4)])
    return TrialData(
        samples=np.ascontiguousarray(pictures),
        labels=torch.from_numpy(np.unique(labels, return_inverse=True)[1]),
        augment=Augmentation(1),
        tests=batch_of(tests.images, CPU),
        test_labels=tests.labels,
        network=lambda seed, division: build_network(NetworkConfig(dim=trial.dim), division, channels=1, seed=seed),
    )


class Views:
    """Frozen features of several views of each sample (views, N, F): rows are those of a view drawn at random; a slice,
    which is how a whole set is embedded, gives the first view."""

    def __init__(self, views: np.ndarray):
        self.views, self.ndim, self.dtype = views, 2, views.dtype
        self.shape = views.shape[1:]
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice):
            return self.views[0, rows]
        return self.views[self.rng.integers(len(self.views), size=len(rows)), rows]


class FrozenFeatures(nn.Dropout):
    """What lies under the head of photographs: features that are not trained; some are dropped at each step.

    A hidden layer in between brought recall below that of the features themselves: fifty classes are few.
    """

    width = 1280

    def __init__(self):
        super().__init__(0.2)


def _photographs(trial: Trial, path: Path) -> TrialData:
    views, labels = photographs.features(path, CACHE)
    half = (labels.max() + 1) // 2  # the first half of the classes trains
    known = labels < half
    if trial.tuning:
        set_aside = np.random.default_rng(0).permutation(half)[: round(HELD_OUT * half)]
        tested, known = known & np.isin(labels, set_aside), known & ~np.isin(labels, set_aside)
    else:
        tested = ~known

    def network(seed: int, division: DivisionConfig) -> EmbeddingNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return EmbeddingNetwork(FrozenFeatures(), build_head(FrozenFeatures.width, trial.dim, division))

    return TrialData(
        samples=Views(views[:, known].astype(np.float32)),
        labels=torch.from_numpy(np.unique(labels[known], return_inverse=True)[1]),
        augment=None,
        tests=torch.from_numpy(views[0][tested].astype(np.float32)),
        test_labels=labels[tested],
        network=network,
    )


def _measured(network: EmbeddingNetwork, data: TrialData, classes: int | None) -> dict[str, float]:
    """Recall and MAP@R of the test samples of the first `classes` classes, or of all."""
    rows = np.isin(data.test_labels, np.unique(data.test_labels)[:classes])
    network.eval()
    with torch.inference_mode():
        vectors = torch.cat([network(part) for part in data.tests[torch.from_numpy(rows)].split(64)]).numpy()
    network.train()
    return _judged(vectors, data.test_labels[rows])


def _judged(vectors: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = measure(EmbeddingSet.of(unit, np.unique(labels, return_inverse=True)[1]))
    return {name: found[name] for name in ("recall@1", "recall@2", "recall@4", "recall@8", "r_precision", "map@r")}


def _thinned(notes: list[dict[str, float]]) -> dict[str, list[float]]:
    """Means over sixteenths of the run."""
    parts = np.array_split(np.arange(len(notes)), 16)
    return {name: [float(np.mean([notes[at][name] for at in part])) for part in parts] for name in ("active", "share")}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def add_sources(parser: argparse.ArgumentParser) -> None:
    for name, text in SOURCES.items():
        parser.add_argument(f"--{name}", type=Path, help=text)


def sources_of(given: argparse.Namespace) -> dict[str, Path]:
    return {name: path for name in SOURCES if (path := getattr(given, name))}


def main() -> None:
    """Run one trial, for series.py."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trial", help="its fields as JSON")
    parser.add_argument("table", type=Path, help="the study's .parquet, where the result goes")
    add_sources(parser)
    given = parser.parse_args()
    result = run(Trial(**json.loads(given.trial)), sources_of(given))
    keep(result, given.table)
    told = "{data} {method} {steps} seed {seed}: {recall:.4f} in {seconds:.0f} s"
    print(told.format(**result, recall=result["final"]["recall@1"]), flush=True)


if __name__ == "__main__":
    main()
