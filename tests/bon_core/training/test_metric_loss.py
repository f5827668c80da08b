import itertools
from typing import get_args

import pytest
import torch

from bon_core.config import InBatchMiner, Loss
from bon_core.training.metric_loss import MetricLoss


def on_circle(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def distance(degrees: float) -> float:
    return float(2 * torch.sin(torch.deg2rad(torch.tensor(degrees)) / 2))


def test_batch_hard_on_a_circle():
    """Class 0 at 0 and 20 degrees, class 1 at 30 and 90: worked by hand."""
    embeddings, labels = on_circle(0, 20, 30, 90), torch.tensor([0, 0, 1, 1])
    outcome = MetricLoss("triplet", "batch-hard", margin=0.2)(embeddings, labels, torch.arange(len(labels)))
    assert outcome.positive.tolist() == [1, 0, 3, 2]
    assert outcome.negative.tolist() == [2, 2, 1, 1]
    assert torch.allclose(
        outcome.d_ap, torch.tensor([distance(20), distance(20), distance(60), distance(60)]), atol=1e-6
    )
    assert torch.allclose(
        outcome.d_an, torch.tensor([distance(30), distance(10), distance(10), distance(70)]), atol=1e-6
    )
    violations = [distance(20) - distance(30), distance(20) - distance(10), distance(60) - distance(10)]
    violations.append(distance(60) - distance(70))
    assert outcome.active.tolist() == [v + 0.2 > 0 for v in violations]
    expected = [max(v + 0.2, 0) for v in violations]
    assert outcome.loss.item() == pytest.approx(sum(expected) / sum(e > 0 for e in expected), abs=1e-5)


@pytest.mark.parametrize("loss,miner", list(itertools.product(get_args(Loss), get_args(InBatchMiner))))
@pytest.mark.parametrize("spread", [1.0, 1e-4, 0.0], ids=["spread", "nearly collapsed", "collapsed"])
def test_every_pair_trains_and_never_takes_its_own_class_as_negative(loss, miner, spread):
    generator = torch.Generator().manual_seed(0)
    points = torch.ones(32, 8) * (1 - min(spread, 0.99)) + spread * torch.randn(32, 8, generator=generator)
    embeddings = torch.nn.functional.normalize(points, dim=1).requires_grad_()
    labels = torch.arange(8).repeat_interleave(4)
    outcome = MetricLoss(loss, miner, margin=0.2)(embeddings, labels, torch.arange(len(labels)))
    outcome.loss.backward()
    assert outcome.loss.isfinite()
    assert embeddings.grad is None or embeddings.grad.isfinite().all()
    rows = torch.arange(32)
    has_negative, has_positive = outcome.negative >= 0, outcome.positive >= 0
    assert (labels[outcome.negative[has_negative]] != labels[rows[has_negative]]).all()
    assert (labels[outcome.positive[has_positive]] == labels[rows[has_positive]]).all()
    assert (outcome.positive[has_positive] != rows[has_positive]).all()
    assert torch.equal(outcome.d_an.isnan(), ~has_negative)


def test_beta_of_the_margin_loss_is_a_parameter():
    objective = MetricLoss("margin", "distance-weighted", margin=0.2)
    assert [parameter.requires_grad for parameter in objective.parameters()] == [True]
    assert objective.beta.item() == pytest.approx(1.2)
    assert all(MetricLoss(loss, "batch-hard", margin=0.2).beta is None for loss in get_args(Loss) if loss != "margin")


def test_ids_name_what_was_chosen():
    embeddings, labels = on_circle(0, 20, 30, 90), torch.tensor([0, 0, 1, 1])
    outcome = MetricLoss("triplet", "batch-hard", margin=0.2)(embeddings, labels, torch.tensor([40, 30, 20, 10]))
    assert outcome.positive.tolist() == [30, 40, 10, 20]
    assert outcome.negative.tolist() == [20, 20, 30, 30]


def test_a_memory_brings_back_what_earlier_batches_held():
    """By hand: the second batch's nearest negative is the first batch's point at 50 degrees."""
    objective = MetricLoss("triplet", "batch-hard", margin=0.2, memory=6, widths=[2])
    objective(on_circle(0, 10, 50, 60), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 2, 3]))
    outcome = objective(on_circle(40, 30), torch.tensor([0, 0]), torch.tensor([4, 5]))
    assert outcome.positive.tolist() == [0, 0]  # 40 and 30 degrees away, out of the first batch
    assert outcome.negative.tolist() == [2, 2]
    assert torch.allclose(outcome.d_an, torch.tensor([distance(10), distance(20)]), atol=1e-6)
    outcome = objective(on_circle(45, 44), torch.tensor([0, 1]), torch.tensor([6, 7]))  # 0 and 1 are forgotten now
    assert outcome.positive.tolist() == [5, 3]
    assert outcome.negative.tolist() == [7, 6]


@pytest.mark.parametrize("miner", get_args(InBatchMiner))
def test_nobody_is_their_own_positive_in_a_memory(miner):
    generator = torch.Generator().manual_seed(0)
    objective = MetricLoss("triplet", miner, margin=0.2, memory=64, widths=[8])
    labels, seen = torch.arange(8).repeat_interleave(2), 0
    for _ in range(6):
        embeddings = torch.nn.functional.normalize(torch.randn(16, 8, generator=generator), dim=1).requires_grad_()
        ids = torch.arange(seen, seen + 16)
        seen += 16
        outcome = objective(embeddings, labels, ids)
        outcome.loss.backward()
        assert outcome.loss.isfinite()
        chosen = outcome.positive >= 0
        assert (outcome.positive[chosen] != ids[chosen]).all() and (outcome.positive[chosen] > seen - 65).all()
        assert (labels[outcome.positive[chosen] % 16] == labels[chosen]).all()
        assert (labels[outcome.negative[outcome.negative >= 0] % 16] != labels[outcome.negative >= 0]).all()


def test_slices_have_memories_of_their_own_and_a_state_brings_all_back():
    def fresh():
        return MetricLoss("margin", "batch-hard", margin=0.2, memory=8, widths=[4, 2, 2])

    one, labels = fresh(), torch.tensor([0, 0, 1, 1])
    one(torch.eye(4), labels, torch.arange(4))
    one(on_circle(0, 5, 90, 95), labels, torch.arange(4, 8), learner=1)
    assert [memory.filled for memory in one.memories] == [4, 0, 4]
    other = fresh()
    other.load_state_dict(one.state_dict())
    assert [memory.filled for memory in other.memories] == [4, 0, 4]
    assert other.memories[2].ids[:4].tolist() == [4, 5, 6, 7]
    assert torch.equal(other.memories[0].embeddings, one.memories[0].embeddings)
