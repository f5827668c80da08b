import itertools
from typing import get_args

import pytest
import torch

from bon_core.config import InBatchMiner, Loss
from bon_core.training.objectives import Objective


def on_circle(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def distance(degrees: float) -> float:
    return float(2 * torch.sin(torch.deg2rad(torch.tensor(degrees)) / 2))


def test_batch_hard_on_a_circle():
    """Class 0 at 0 and 20 degrees, class 1 at 30 and 90: worked by hand."""
    embeddings, labels = on_circle(0, 20, 30, 90), torch.tensor([0, 0, 1, 1])
    outcome = Objective("triplet", "batch-hard", margin=0.2)(embeddings, labels)
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
    outcome = Objective(loss, miner, margin=0.2)(embeddings, labels)
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
    objective = Objective("margin", "distance-weighted", margin=0.2)
    assert [parameter.requires_grad for parameter in objective.parameters()] == [True]
