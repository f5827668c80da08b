"""What does it cost mining that a DataLoader's workers ask for batches before the updates of those under way?

    python -m benchmarks.look_ahead

Trains a conv4 on the glyphs through `MinedBatchSampler` with 0, 1, 2 and 8 batches of look-ahead, on one thread.
Writes benchmarks/results/look_ahead.md.
"""

import os
from typing import Any

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import pandas as pd
import torch
from pytorch_metric_learning import losses, miners
from torch.utils.data import DataLoader, Dataset

from benchmarks.report import machine, write_report
from benchmarks.tables import shown
from benchmarks.trial import CPU, DIM, IMAGE_SIZE
from bon_core.config import DataConfig, DivisionConfig, NetworkConfig
from bon_core.datasets import ImageSet, load_images
from bon_core.datasets.embeddings import EmbeddingSet
from bon_core.mining import BagOfNegatives, MinedBatchSampler
from bon_core.networks.embedding import batch_of, embed
from bon_core.networks.network import build_network
from bon_core.runs.build_snapshot import measure

STEPS, SEEDS = 1_500, 3
WORKERS: dict[int, dict[str, Any]] = {  # batches of look-ahead: settings of the loader
    0: {"num_workers": 0},
    1: {"num_workers": 1, "prefetch_factor": 1},
    2: {"num_workers": 2, "prefetch_factor": 1},
    8: {"num_workers": 2, "prefetch_factor": 4},
}
FIGURES = {
    "staleness": "codes that changed",
    "fallback_rate": "fallback",
    "entropy_share": "entropy / S",
    "recall@1": "Recall@1",
}


class Positioned(Dataset):
    """Images with the position that the bag knows them by."""

    def __init__(self, images: ImageSet):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[int, torch.Tensor, int]:
        return position, torch.from_numpy(self.images.images[position]), int(self.images.labels[position])


def trained(images: ImageSet, ahead: int, seed: int) -> dict[str, float]:
    """Health of the bag after a training with so many batches of look-ahead, and recall on the test classes."""
    train, tests = images.part("train"), images.part("test")
    torch.manual_seed(seed)
    network = build_network(NetworkConfig(dim=DIM), DivisionConfig(learners=1), channels=1, seed=seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loss_of, choose = losses.TripletMarginLoss(margin=0.2), miners.BatchHardMiner()
    bag = BagOfNegatives(train.labels, dim=DIM, seed=seed)
    sampler = MinedBatchSampler(bag, classes=8, images=2, groups=1, batches=STEPS)
    for ids, pictures, labels in DataLoader(Positioned(train), batch_sampler=sampler, **WORKERS[ahead]):
        embeddings = network(batch_of(pictures.numpy(), CPU))
        loss = loss_of(embeddings, labels, choose(embeddings, labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bag.update(ids, embeddings)
    vectors = embed(network, tests.images, device=CPU)
    return {"ahead": ahead, **bag.stats(), **measure(EmbeddingSet.of(vectors, tests.labels))}


def main() -> None:
    torch.set_num_threads(1)
    images = load_images(DataConfig(image_size=IMAGE_SIZE))
    rows = []
    for seed in range(SEEDS):
        for ahead in WORKERS:
            rows.append(trained(images, ahead, seed))
            print(seed, {name: rows[-1][name] for name in ("ahead", *FIGURES)}, flush=True)
    table = pd.DataFrame(rows).groupby("ahead")
    lines = [
        machine(),
        "",
        f"Written by `python -m benchmarks.look_ahead`: glyphs of {IMAGE_SIZE} px, conv4, {STEPS:,} steps of 8 classes"
        f" x 2 images, one group, batch-hard triplets; mean and 95 % t-interval over {SEEDS} seeds.",
        "",
        f"| batches of look-ahead | {' | '.join(FIGURES.values())} |",
        "|---|" + "---|" * len(FIGURES),
        *(f"| {ahead} | {' | '.join(shown(runs[name]) for name in FIGURES)} |" for ahead, runs in table),
    ]
    write_report("look_ahead", "Look-ahead of a DataLoader's workers", lines)


if __name__ == "__main__":
    main()
