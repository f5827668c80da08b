"""The sampler in loops that others write, as docs/library.md shows them, and in DataLoaders that look ahead."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pytorch_metric_learning import losses, miners
from torch.nn import functional
from torch.utils.data import DataLoader, DistributedSampler, StackDataset, TensorDataset

from bon_core.config import InputError
from bon_core.mining import BagOfNegatives, MinedBatchSampler, Uniform
from bon_core.mining.layout import MATE

ROOT = Path(__file__).parents[3]
LIBRARY = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
LOOPS = re.findall(r"```python\n(.*?)```", LIBRARY.split("## In your own")[1], re.DOTALL)


def points():
    """100 classes of 12 points: 8 numbers tell the class, 8 larger ones mean nothing, and all are mixed."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(100).repeat_interleave(12)
    telling = torch.randn(100, 8, generator=draws)[labels] + 0.2 * torch.randn(1200, 8, generator=draws)
    rows = torch.cat((telling, 2 * torch.randn(1200, 8, generator=draws)), 1) @ torch.randn(16, 16, generator=draws)
    return TensorDataset(rows, labels)


def pictures():
    """200 classes of 12 noisy pictures of 12 x 12 pixels; classes come in 20 families."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(200).repeat_interleave(12)
    coarse = torch.randn(20, 1, 4, 4, generator=draws)[torch.arange(200) % 20]
    coarse = coarse + 0.6 * torch.randn(200, 1, 4, 4, generator=draws)
    clean = functional.interpolate(coarse, size=12, mode="bilinear")[labels]
    return TensorDataset(clean + torch.randn(2400, 1, 12, 12, generator=draws), labels)


def recall(network, data):
    """Share of samples whose nearest other sample is of their class."""
    rows, labels = data.tensors
    with torch.no_grad():
        vectors = functional.normalize(network(rows))
    nearest = (vectors @ vectors.t()).fill_diagonal_(-2).argmax(1)
    return (labels[nearest] == labels).float().mean().item()


def hardest_of_the_batch(embeddings, labels):
    """Triplet loss of every anchor's farthest positive and nearest negative, in plain PyTorch."""
    vectors = functional.normalize(embeddings)
    likeness, same = vectors @ vectors.t(), labels[:, None] == labels
    positive, negative = likeness.masked_fill(~same, 2).amin(1), likeness.masked_fill(same, -2).amax(1)
    return torch.relu(negative - positive + 0.2).mean()


class Noting(Uniform):
    """Notes how many updates had come whenever it composed, and what it composed."""

    def __init__(self, labels):
        super().__init__(labels, dim=4)
        self.updates, self.known, self.composed = 0, [], []

    def compose(self, *shape):
        self.known.append(self.updates)
        self.composed.append(super().compose(*shape))
        return self.composed[-1]

    def update(self, ids, embeddings):
        super().update(ids, embeddings)
        self.updates += 1


# --- the loops of docs/library.md ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")  # the trainer's own
@pytest.mark.parametrize("number", range(3), ids=["plain", "losses-and-miners", "trainer"])
def test_the_loops_of_the_readme_learn(number):
    data = points()
    torch.manual_seed(0)
    network = torch.nn.Linear(16, 128)
    names = {
        "dataset": data,
        "labels": data.tensors[1],
        "network": network,
        "loss_of": hardest_of_the_batch,
        "optimizer": torch.optim.Adam(network.parameters(), lr=3e-3),
    }
    assert recall(network, data) < 0.2
    names["__name__"] = "__main__"
    set_up = LOOPS[0].partition("if __name__")[0]
    exec(compile(set_up + LOOPS[number], "library.md", "exec"), names)
    assert recall(network, data) > 0.8
    bag = names["bag"]
    assert (bag.codes >= 0).float().mean() > 0.9  # most samples came by, and were told to the bag
    assert (bag.last.roles == MATE).any()
    assert bag.stats()["unserved_rate"] < 0.2


@pytest.mark.slow
def test_the_loop_of_the_readme_is_a_script_where_workers_are_spawned(tmp_path):
    """As on macOS, Windows and Python 3.14: each worker imports the script anew."""
    (tmp_path / "own.py").write_text(
        "import torch\n"
        "from torch.utils.data import TensorDataset\n"
        "torch.multiprocessing.set_start_method('spawn', force=True)\n"
        "labels = torch.arange(64).repeat_interleave(4)\n"
        "dataset = TensorDataset(torch.randn(256, 8), labels)\n"
        "network = torch.nn.Linear(8, 128)\n"
        "optimizer = torch.optim.Adam(network.parameters())\n"
        "loss_of = lambda embeddings, targets: embeddings.square().mean()\n"
        + LOOPS[0].replace("range(10)", "range(1)")
        + "        print('an epoch is over')\n"
    )
    root = ROOT
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, tmp_path / "own.py"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "an epoch is over\n"


# --- looking ahead --------------------------------------------------------------------------------------------------

LOOK_AHEAD = [
    ({}, 0),
    ({"num_workers": 1, "prefetch_factor": 1}, 1),
    ({"num_workers": 2, "prefetch_factor": 1}, 2),
    ({"num_workers": 1}, 2),  # a DataLoader's own default prefetches two batches a worker
    ({"num_workers": 2, "prefetch_factor": 1, "persistent_workers": True}, 2),
]


@pytest.mark.parametrize(("workers", "ahead"), LOOK_AHEAD)
def test_batches_are_composed_as_far_ahead_of_their_updates_as_said(workers, ahead):
    labels = torch.arange(240) // 4
    miner = Noting(labels)
    sampler = MinedBatchSampler(miner, classes=8, images=2, groups=2, batches=6)
    loader = DataLoader(StackDataset(range(240), labels), batch_sampler=sampler, **workers)
    arrived = []
    for _ in range(3):
        for ids, targets in loader:
            assert torch.equal(targets, labels[ids])
            arrived.append(ids)
            miner.update(ids, torch.ones(16, 4))
    epoch = [max(batch - ahead, 0) for batch in range(6)]
    assert miner.known == [6 * past + known for past in range(3) for known in epoch]  # nothing ahead of an epoch
    assert torch.equal(torch.stack(arrived), torch.stack(miner.composed))  # none lost, none twice, in order


def trained(**workers):
    """Health of the bag and recall after a short training on pictures."""
    data = pictures()
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(288, 32),
    )
    bag = BagOfNegatives(data.tensors[1], dim=32)
    sampler = MinedBatchSampler(bag, classes=16, images=4, groups=4, batches=150)
    loss_of, choose = losses.TripletMarginLoss(margin=0.2), miners.BatchHardMiner()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for ids, (images, labels) in DataLoader(StackDataset(range(2400), data), batch_sampler=sampler, **workers):
        embeddings = network(images)
        loss = loss_of(embeddings, labels, choose(embeddings, labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bag.update(ids, embeddings)
    return bag.stats() | {"recall": recall(network, data)}


@pytest.mark.slow
def test_looking_ahead_costs_neither_fresh_codes_nor_mates_nor_accuracy():
    plain, ahead = trained(), trained(num_workers=2, prefetch_factor=1)
    assert 0 < plain["staleness"] < 1
    assert ahead["staleness"] == pytest.approx(plain["staleness"], abs=0.1)
    assert ahead["recall"] == pytest.approx(plain["recall"], abs=0.1)
    for stats in (plain, ahead):
        assert stats["unserved_rate"] < 0.1
        assert stats["fallback_rate"] < 0.1
        assert stats["entropy_share"] > 0.8


# --- epochs, schedules, stopping ------------------------------------------------------------------------------------


def noisy(ids):
    """Embeddings (B, 8) that depend on the ids alone."""
    return torch.sin(torch.outer(ids + 1.0, torch.arange(1.0, 9.0)))


def test_a_bag_loaded_in_the_middle_of_an_epoch_goes_on_the_same():
    labels = torch.arange(240) // 4
    shape = {"classes": 8, "images": 2, "groups": 2}
    bag, other = BagOfNegatives(labels, dim=8), BagOfNegatives(labels, dim=8, seed=1)
    batches = []
    for number, batch in enumerate(MinedBatchSampler(bag, **shape, batches=30)):
        batches.append(batch)
        bag.update(torch.tensor(batch), noisy(torch.tensor(batch)))
        if number == 11:
            state = bag.state_dict()
    other.load_state_dict(state)
    for batch, expected in zip(MinedBatchSampler(other, **shape, batches=18), batches[12:], strict=True):
        assert batch == expected
        other.update(torch.tensor(batch), noisy(torch.tensor(batch)))
    assert other.stats() == bag.stats()


def test_batches_composed_ahead_of_a_stop_are_skipped():
    labels = torch.arange(240) // 4
    miner, other = Noting(labels), Noting(labels)
    loader = DataLoader(
        StackDataset(range(240), labels),
        batch_sampler=MinedBatchSampler(miner, classes=8, images=2, groups=2, batches=9),
        num_workers=2,
        prefetch_factor=1,
    )
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    state = miner.state_dict()  # after the fourth batch, with two more under way
    rest = [ids.tolist() for ids, _ in batches]
    other.load_state_dict(state)
    assert list(MinedBatchSampler(other, classes=8, images=2, groups=2, batches=3)) == rest[2:]


def test_a_schedule_can_change_the_share_of_mates_between_batches():
    data = points()
    bag = BagOfNegatives(data.tensors[1], dim=16)
    bag.update(torch.arange(1200), data.tensors[0])
    sampler = MinedBatchSampler(bag, classes=8, images=2, groups=2, batches=3, mate_share=0.0)
    batches = iter(sampler)
    next(batches)
    assert not (bag.last.roles == MATE).any()
    sampler.mate_share = 1.0
    assert isinstance(next(batches)[0], int)
    assert (bag.last.roles == MATE).any()


def test_every_epoch_goes_on_instead_of_repeating():
    sampler = MinedBatchSampler(Uniform([0, 0, 0, 1, 1, 1, 2, 2, 2] * 4), classes=3, images=3, batches=2, groups=1)
    first, second = list(sampler), list(sampler)
    assert len(first) == len(second) == len(sampler) == 2
    assert first != second


def test_mates_come_in_over_the_ramp_whatever_epoch_it_is():
    data = points()
    bag = BagOfNegatives(data.tensors[1], dim=16)
    bag.update(torch.arange(1200), data.tensors[0])
    sampler = MinedBatchSampler(bag, classes=8, images=2, groups=2, batches=3, mate_share=0.5, mate_ramp=6)
    shares, compose = [], bag.compose
    bag.compose = lambda *shape: shares.append(shape[-1]) or compose(*shape)
    for _ in range(3):
        list(sampler)
    assert shares == pytest.approx([0, 1 / 12, 2 / 12, 3 / 12, 4 / 12, 5 / 12, 0.5, 0.5, 0.5])
    again = MinedBatchSampler(bag, classes=8, images=2, groups=2, batches=1, mate_share=0.5, mate_ramp=6)
    again.composed = 4
    list(again)
    assert shares[-1] == pytest.approx(4 / 12)


def test_a_sampler_that_another_program_would_put_in_is_refused_with_what_to_set():
    """Lightning makes batch samplers anew with a DistributedSampler as the argument of this name."""
    labels = torch.arange(240) // 4
    saved = {"batches": 3, "classes": 8, "images": 2, "groups": 2}
    with pytest.raises(InputError, match=r"use_distributed_sampler=False\), and give each process"):
        MinedBatchSampler(BagOfNegatives(labels, dim=4), **saved, sampler=DistributedSampler(range(240), 2, 0))


def test_processes_with_seeds_of_their_own_compose_other_batches():
    labels = torch.arange(240) // 4
    one, other = (BagOfNegatives(labels, dim=4, seed=rank).compose(8, 2, 2) for rank in (0, 1))
    assert one.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"batches": 1, "mate_ramp": -1}, "ramp of mates in batches is -1"),
        ({"batches": 1.5}, "number of batches is 1.5"),
        ({"batches": 0}, "epoch of 0 batches"),
        ({"batches": 1, "classes": 4, "groups": 5}, "4 classes, 4 images and 5 groups"),
        ({"batches": 1, "images": 0}, "32 classes, 0 images"),
        ({"batches": 1, "mate_share": 1.5}, "share of bucket mates is 1.5"),
    ],
)
def test_what_cannot_be_sampled_is_refused_at_once(settings, part):
    with pytest.raises(InputError, match=part):
        MinedBatchSampler(Uniform([0, 0]), **settings)


@pytest.mark.parametrize("workers", [0, 1])
def test_too_few_classes_are_answered_by_the_composers_sentence(workers):
    labels = torch.arange(12) // 2
    sampler = MinedBatchSampler(Uniform(labels), classes=8, images=2, groups=2, batches=3)
    loader = DataLoader(StackDataset(range(12), labels), batch_sampler=sampler, num_workers=workers)
    with pytest.raises(InputError, match=r"^The batch needs 8 classes, but only 6 .*; lower the classes"):
        next(iter(loader))
