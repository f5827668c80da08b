import numpy as np
import pytest
import torch

from bon_core.training.losses import ASKS, FIRST_BETA, has_loss, share_with_loss, violates
from bon_core.training.metric_loss import MetricLoss

MARGIN = 0.2
LOSSES = ("triplet", "margin", "contrastive", "multi-similarity")


def anchors(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances from 0.02 to 1.9, of all kinds."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.02, 1.9, count), rng.uniform(0.02, 1.9, count)


def at(distance: float, side: int) -> list[float]:
    """A unit vector so far from (1, 0), to one side or the other."""
    angle = 2 * np.arcsin(distance / 2)
    return [np.cos(angle), side * np.sin(angle)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("beta", [0.6, 0.9, FIRST_BETA])
def test_an_anchor_has_a_loss_where_the_loss_itself_is_above_zero(loss, beta):
    """Against pytorch-metric-learning, an anchor at a time."""
    d_ap, d_an = anchors(60)
    objective = MetricLoss(loss, "batch-hard", MARGIN)
    if objective.beta is not None:
        objective.loss.beta.data.fill_(beta)
    truth = []
    for ap, an in zip(d_ap, d_an, strict=True):
        embeddings = torch.tensor([[1, 0], at(ap, 1), at(an, -1)], dtype=torch.float64)
        triplet = tuple(torch.tensor([place] * 2) for place in range(3))  # twice: of one pair alone the losses make 0
        if loss in ("contrastive", "multi-similarity"):
            triplet = (triplet[0], triplet[1], triplet[0], triplet[2])
        truth.append(objective.loss(embeddings, torch.tensor([0, 0, 1]), triplet).item() > 0)
    assert has_loss(loss, d_ap, d_an, MARGIN, beta).tolist() == truth
    assert loss in ASKS


def test_violating_the_margin_is_the_triplet_losss_own_count_and_no_others():
    d_ap, d_an = anchors(500)
    np.testing.assert_array_equal(has_loss("triplet", d_ap, d_an, MARGIN), violates(d_ap, d_an, MARGIN))
    for loss in LOSSES[1:]:
        assert has_loss(loss, d_ap, d_an, MARGIN).sum() > violates(d_ap, d_an, MARGIN).sum()


def test_a_missing_distance_costs_nothing():
    nan = np.nan
    d_ap, d_an = np.array([nan, 1.9, nan, 0.5]), np.array([0.1, nan, nan, nan])
    assert has_loss("triplet", d_ap, d_an, MARGIN).tolist() == [False] * 4
    assert has_loss("margin", d_ap, d_an, MARGIN, 1.0).tolist() == [True, True, False, False]
    assert share_with_loss("margin", d_ap, d_an, MARGIN, 1.0) == pytest.approx((nan, nan), nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_without_a_boundary_the_lowest_share_is_that_of_the_best_of_all_boundaries(seed):
    rng = np.random.default_rng(seed)
    d_ap, d_an = rng.normal(0.6, 0.1, 300), rng.normal(1.0, 0.2, 300)
    low, high = share_with_loss("margin", d_ap, d_an, MARGIN)
    tried = [
        has_loss("margin", d_ap, d_an, MARGIN, beta).mean() for beta in np.concatenate([d_ap + MARGIN, d_an - MARGIN])
    ]
    assert low == pytest.approx(min(tried)) and 0 < low < 1
    assert high == 1.0
    assert share_with_loss("margin", d_ap, d_an, MARGIN, 0.8)[0] >= low
    assert share_with_loss("margin", np.array([0.5]), np.array([0.6]), MARGIN) == (1.0, 1.0), "none without a loss"
