"""One training of a comparison: fixed steps, one thread, recall on classes it never saw; its result is a table row.

The loop is made of the trainer's own parts, without its records. Methods of a data set differ in mining or division
alone.
"""

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # two runs at once: threads that spin while they wait slow both

import argparse
import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import photographs, results_table
from bon_core.config import DataConfig, DivisionConfig, MiningConfig, NetworkConfig
from bon_core.datasets import load_images
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.division.clustering import Clustering
from bon_core.division.heads import build_head
from bon_core.division.schedule import Phase, Schedule
from bon_core.division.teams import Teams
from bon_core.mining import BatchMiner
from bon_core.mining.curriculum import MateShare
from bon_core.networks.embedding import batch_of
from bon_core.networks.network import EmbeddingNetwork, build_network
from bon_core.runs.survey import measure
from bon_core.training.augmentation import Augmentation
from bon_core.training.chance import chance_of
from bon_core.training.dividing import divide
from bon_core.training.objectives import Objective

DIM, MARGIN = 64, 0.2
IMAGE_SIZE = 20  # pixels, of glyphs and Omniglot: small images, so that many runs fit an afternoon
GLANCE = 150  # held-out classes that the curve is drawn from; the last figures are of all
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
class Race:
    """What to train: a data set, a method, a number of steps and a seed."""

    data: str  # glyphs, omniglot, omniglot-rotations, or the name of a file of photographs
    method: str  # its name in tables
    mining: dict[str, Any] = field(default_factory=dict)  # fields of MiningConfig
    division: dict[str, Any] = field(default_factory=dict)  # fields of DivisionConfig; undivided unless it says so
    loss: str = "triplet"
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
class Field:
    """The data of a race: batches of training samples, the samples to test on, and a fresh network for them."""

    labels: Tensor  # (N,) int64, training
    batch: Callable[[Tensor], Tensor]  # ids (B,) -> network input, varied a little each time
    plain: Callable[[Tensor], Tensor]  # ids (B,) -> network input, as it is
    tests: Tensor  # network input of all test samples
    test_labels: np.ndarray
    network: Callable[[int, DivisionConfig], EmbeddingNetwork]  # seed -> network


Watch = Callable[[EmbeddingNetwork, Field, BatchMiner, MiningConfig], dict[str, Any]]


def field_of(race: Race, sources: dict[str, Path]) -> Field:
    """Load the data; `sources` says where those lie that do not come with the project."""
    if race.data in CHARACTERS:
        return _characters(race, sources)
    return _photographs(race, sources[race.data])


def run(race: Race, sources: dict[str, Path], watch: Watch | None = None) -> dict[str, Any]:
    """Train and measure; returns what its row holds. What `watch` says is part of the curve."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    ground = field_of(race, sources)
    mining = MiningConfig(**{"classes": 8, "images": 2, "groups": 2, "in_batch": "batch-hard", **race.mining})
    division = DivisionConfig(**{"learners": 1, **race.division})
    network = ground.network(race.seed, division)
    objective = Objective(
        race.loss,
        mining.in_batch_miner,
        MARGIN,
        memory=mining.memory if mining.miner == "xbm" else 0,
        widths=[race.dim],
    )
    teams = Teams(ground.labels, dim=race.dim, mining=mining, division=division, device=CPU, seed=race.seed)
    epoch = max(1, len(ground.labels) // mining.batch)
    schedule = Schedule(division, total_steps=race.steps, steps_per_epoch=epoch, seed=race.seed)
    mates = MateShare(mining, race.steps)
    parameters = [*network.parameters(), *objective.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-4)
    looks = {round(share * race.steps) for share in LOOKS}
    curve, notes, clustering = [], [], None
    seconds, mining_seconds, clustering_seconds = 0.0, 0.0, 0.0

    network.train()
    for step in range(race.steps):
        started = time.process_time()
        phase = schedule.phase(step)
        if schedule.reclusters(step):
            clustering = _reclustered(network, ground, phase, division, teams, clustering, seed=race.seed + step)
            clustering_seconds += time.process_time() - started
        elif phase.name == "conquer" and schedule.phase(step - 1).name != "conquer":
            teams.rejoin(embedded(network, ground))
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate((step + 1) / race.steps)
        share = mates.at(step)
        begun = time.process_time()
        batch = teams.compose(phase.cluster, share)
        composed = time.process_time()
        ids = batch.positions
        with chance_of(race.seed, step, CPU):
            embeddings = network(ground.batch(ids), phase.learner, phase.of)
            outcome = objective(embeddings, ground.labels[ids], ids)
        optimizer.zero_grad(set_to_none=True)
        outcome.loss.backward()
        optimizer.step()
        stepped = time.process_time()
        teams.update(phase.cluster, batch, embeddings.detach())
        if step % LOG_EVERY == 0:
            active = float(outcome.active.float().mean())
            mates.observe(active)
            notes.append({"share": share, "active": active})
        ended = time.process_time()
        seconds += ended - started
        mining_seconds += composed - begun + ended - stepped
        if step + 1 in looks:
            curve.append({"step": step + 1, "seconds": seconds, **_measured(network, ground, GLANCE)})
            curve[-1] |= {"stats": teams.joint.miner.stats()}
            if watch is not None:
                curve[-1] |= watch(network, ground, teams.joint.miner, mining)
    curve.append({"step": race.steps, "seconds": seconds, **_measured(network, ground, GLANCE)})
    return {
        **asdict(race),
        "settings": asdict(mining),
        "samples": len(ground.labels),
        "classes": len(ground.labels.unique()),
        "seconds": seconds,
        "mining_seconds": mining_seconds,
        "clustering_seconds": clustering_seconds,
        "final": _measured(network, ground, None),
        "untrained": _judged(ground.tests.flatten(1).numpy(), ground.test_labels),
        "curve": curve,
        "noted": _thinned(notes),
    }


def _reclustered(
    network: EmbeddingNetwork,
    ground: Field,
    phase: Phase,
    division: DivisionConfig,
    teams: Teams,
    previous: Clustering | None,
    *,
    seed: int,
) -> Clustering:
    vectors = embedded(network, ground).numpy()
    below = division.feature == "penultimate"
    return divide(
        vectors,
        embedded(network, ground, network.features).numpy() if below else vectors,
        ground.labels.numpy(),
        phase=phase,
        division=division,
        head=network.head,
        teams=teams,
        previous=previous,
        seed=seed,
    ).current


def embedded(network: EmbeddingNetwork, ground: Field, layer: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The whole embedding (N, D) of the training samples as they are, or another layer, in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        parts = torch.arange(len(ground.labels)).split(64)
        vectors = torch.cat([(layer or network)(ground.plain(ids)) for ids in parts])
    network.train()
    return vectors


def keep(result: dict[str, Any], table: Path) -> None:
    """Write a result into its study's table, under its race's name."""
    race = Race(**{name: result[name] for name in Race.__dataclass_fields__})
    results_table.add(table, {race.name: _rounded(result)})


def _characters(race: Race, sources: dict[str, Path]) -> Field:
    name = race.data.removesuffix("-rotations")
    path = str(sources[name]) if name in sources else None
    holdout = HELD_OUT if race.tuning else 0.0
    images = load_images(DataConfig(name=name, path=path, image_size=IMAGE_SIZE, holdout=holdout))
    train, tests = images.part("train"), images.part("validation" if race.tuning else "test")
    pictures, labels = train.images, train.labels
    if race.data.endswith("-rotations"):  # a turned character is another character
        pictures = np.concatenate([np.rot90(pictures, turn, (1, 2)) for turn in range(4)])
        labels = np.concatenate([labels + turn * len(train.class_names) for turn in range(4)])
    pictures = torch.from_numpy(np.ascontiguousarray(pictures))
    augment = Augmentation(1)
    return Field(
        labels=torch.from_numpy(np.unique(labels, return_inverse=True)[1]),
        batch=lambda ids: augment(batch_of(pictures[ids].numpy(), CPU)),
        plain=lambda ids: batch_of(pictures[ids].numpy(), CPU),
        tests=batch_of(tests.images, CPU),
        test_labels=tests.labels,
        network=lambda seed, division: build_network(NetworkConfig(dim=race.dim), division, channels=1, seed=seed),
    )


class FrozenFeatures(nn.Dropout):
    """What lies under the head of photographs: features that are not trained; some are dropped at each step.

    A hidden layer in between brought recall below that of the features themselves: fifty classes are few.
    """

    width = 1280

    def __init__(self):
        super().__init__(0.2)


def _photographs(race: Race, path: Path) -> Field:
    views, labels = photographs.features(path, CACHE)
    half = (labels.max() + 1) // 2  # the first half of the classes trains
    known = labels < half
    if race.tuning:
        set_aside = np.random.default_rng(0).permutation(half)[: round(HELD_OUT * half)]
        tested, known = known & np.isin(labels, set_aside), known & ~np.isin(labels, set_aside)
    else:
        tested = ~known
    training = torch.from_numpy(views[:, known].astype(np.float32))  # (views, N, 1280)

    def network(seed: int, division: DivisionConfig) -> EmbeddingNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return EmbeddingNetwork(FrozenFeatures(), build_head(FrozenFeatures.width, race.dim, division))

    return Field(
        labels=torch.from_numpy(np.unique(labels[known], return_inverse=True)[1]),
        batch=lambda ids: training[torch.randint(len(training), (len(ids),)), ids],
        plain=lambda ids: training[0, ids],
        tests=torch.from_numpy(views[0][tested].astype(np.float32)),
        test_labels=labels[tested],
        network=network,
    )


def _learning_rate(progress: float) -> float:
    """Warm-up over the first 2 %, then a half cosine to a hundredth."""
    return 1e-3 * min(1, progress / 0.02) * (0.505 + 0.495 * math.cos(math.pi * progress))


def _measured(network: EmbeddingNetwork, ground: Field, classes: int | None) -> dict[str, float]:
    """Recall and MAP@R of the test samples of the first `classes` classes, or of all."""
    rows = np.isin(ground.test_labels, np.unique(ground.test_labels)[:classes])
    network.eval()
    with torch.inference_mode():
        vectors = torch.cat([network(part) for part in ground.tests[torch.from_numpy(rows)].split(64)]).numpy()
    network.train()
    return _judged(vectors, ground.test_labels[rows])


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
    """Run one race, for series.py."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("race", help="its fields as JSON")
    parser.add_argument("table", type=Path, help="the study's .parquet, where the result goes")
    add_sources(parser)
    given = parser.parse_args()
    result = run(Race(**json.loads(given.race)), sources_of(given))
    keep(result, given.table)
    told = "{data} {method} {steps} seed {seed}: {recall:.4f} in {seconds:.0f} s"
    print(told.format(**result, recall=result["final"]["recall@1"]), flush=True)


if __name__ == "__main__":
    main()
