"""The sampler in loops that others write: plain PyTorch, and pytorch-metric-learning."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from bon_core.config import InputError
from bon_core.mining import BagOfNegatives, MinedBatchSampler, Uniform


class Points(Dataset):
    """60 classes of 8 noisy points; each item comes with its position, as the sampler's update wants it."""

    def __init__(self):
        draws = torch.Generator().manual_seed(0)
        self.labels = torch.arange(60).repeat_interleave(8)
        self.points = torch.randn(60, 16, generator=draws)[self.labels]
        self.points = self.points + 0.8 * torch.randn(480, 16, generator=draws)

    def __len__(self):
        return 480

    def __getitem__(self, position):
        return position, self.points[position], self.labels[position]


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))


def recall(model, data):
    """Share of points whose nearest other point is of their class."""
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(model(data.points))
    nearest = (vectors @ vectors.t()).fill_diagonal_(-2).argmax(1)
    return (data.labels[nearest] == data.labels).float().mean().item()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_plain_loop(workers):
    """With a worker the loader composes two batches ahead of the updates."""
    data, model = Points(), network()
    bag = BagOfNegatives(data.labels, dim=8)
    sampler = MinedBatchSampler(bag, classes=8, images=4, groups=4, batches=150)
    loader = DataLoader(data, batch_sampler=sampler, num_workers=workers)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = recall(model, data)
    for ids, points, labels in loader:
        embeddings = torch.nn.functional.normalize(model(points))
        likeness = embeddings @ embeddings.t()
        same = labels[:, None] == labels
        hardest_positive = likeness.masked_fill(~same, 2).min(1).values
        hardest_negative = likeness.masked_fill(same, -2).max(1).values
        loss = torch.relu(hardest_negative - hardest_positive + 0.2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        bag.update(ids, embeddings)
    assert len(loader) == 150
    assert recall(model, data) > before + 0.1
    stats = bag.stats()
    assert 0 < stats["staleness"] < 1  # measured, batches ahead or not
    assert stats["unserved_rate"] < 0.2


def test_a_loop_with_the_losses_and_miners_of_pytorch_metric_learning():
    from pytorch_metric_learning import losses, miners

    data, model = Points(), network()
    bag = BagOfNegatives(data.labels, dim=8)
    sampler = MinedBatchSampler(bag, classes=8, images=4, groups=4, batches=150)
    loss_function, miner = losses.TripletMarginLoss(margin=0.2), miners.BatchHardMiner()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = recall(model, data)
    for ids, points, labels in DataLoader(data, batch_sampler=sampler):
        embeddings = torch.nn.functional.normalize(model(points))
        loss = loss_function(embeddings, labels, miner(embeddings, labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        bag.update(ids, embeddings)
    assert recall(model, data) > before + 0.1


def test_a_schedule_can_change_the_share_of_mates_between_batches():
    data = Points()
    bag = BagOfNegatives(data.labels, dim=16)
    bag.update(torch.arange(480), data.points)
    sampler = MinedBatchSampler(bag, classes=8, images=2, groups=2, batches=3, mate_share=0.0)
    batches = iter(sampler)
    next(batches)
    assert not (bag.last.roles == 1).any()
    sampler.mate_share = 1.0
    assert isinstance(next(batches)[0], int)
    assert (bag.last.roles == 1).any()


def test_every_epoch_goes_on_instead_of_repeating():
    sampler = MinedBatchSampler(Uniform([0, 0, 0, 1, 1, 1, 2, 2, 2] * 4), classes=3, images=3, batches=2, groups=1)
    first, second = list(sampler), list(sampler)
    assert len(first) == len(second) == len(sampler) == 2
    assert first != second


def test_an_epoch_without_batches_is_refused():
    with pytest.raises(InputError, match="epoch of 0 batches"):
        MinedBatchSampler(Uniform([0, 0]), batches=0)
