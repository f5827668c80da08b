"""What the page of the miners shows is what the library's miners draw and choose, seed for seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from app.views.negatives.miner_draws import ACROSS, IN_BATCH, Hasher, Miners
from bon_core.config import MiningConfig
from bon_core.mining import BagOfNegatives, ClassNeighbours, Exact, Uniform, make_batch_miner
from bon_core.mining.codes import codes_of
from bon_core.training import metric_loss
from bon_core.training.metric_loss import MetricLoss

MARGIN, SEED, ANCHOR, DRAWS = 0.2, 3, 60, 8
SHAPE = MiningConfig(classes=8, images=3, groups=2, memory=60, miner="bon")
RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(40), 6)
VECTORS = RNG.standard_normal((40, 12))[LABELS] + 1.2 * RNG.standard_normal((240, 12))
VECTORS = (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)).astype(np.float32)
HASHER = Hasher(VECTORS.mean(axis=0), np.linalg.qr(RNG.standard_normal((12, 4)))[0].astype(np.float32))
DISTANCE = np.linalg.norm(VECTORS[:, None].astype(np.float64) - VECTORS, axis=2)


def made(mining: MiningConfig = SHAPE, margin: float = MARGIN, labels: np.ndarray = LABELS) -> Miners:
    return Miners(VECTORS[: len(labels)], labels, HASHER, mining, margin)


def drawn(**how) -> dict:
    return made(**how).of_one(ANCHOR, DRAWS, seed=SEED)


def batches(kind: str, number: int) -> list[torch.Tensor]:
    """What the library's batch miner composes for the anchor, by its public face alone; `number` is its place."""
    everybody, vectors = torch.arange(240), torch.from_numpy(VECTORS)
    found = make_batch_miner(replace(SHAPE, miner=kind, bits=4), LABELS, dim=12)
    found.update(everybody, vectors, seeds=torch.ones(240, dtype=torch.bool))
    if kind == "bon":
        found.hasher.weight.copy_(torch.from_numpy(HASHER.projection.T))
        found.hasher.mean.copy_(torch.from_numpy(HASHER.mean))
        found.table = type(found.table)(240, 4, found.table.capacity)
        found.rehash(everybody, vectors)
    found.generator.manual_seed(int(np.random.default_rng((SEED, ANCHOR)).integers(1 << 62)) + number)
    composed = []
    for _ in range(DRAWS):
        composed.append(found.compose(8, 3, 2, SHAPE.mate_share, seeds=torch.tensor([ANCHOR])))
        if kind == "bon":
            found.negatives(torch.tensor([ANCHOR]), 1)
    return composed


def chosen_in(batch: torch.Tensor, in_batch: str) -> int:
    """What the library's objective chooses for the anchor when the whole batch is mined, as a training does."""
    rows = torch.from_numpy(VECTORS)[batch]
    outcome = MetricLoss("triplet", in_batch, MARGIN)(rows, torch.from_numpy(LABELS)[batch], batch)
    return int(outcome.negative[batch == ANCHOR][0])


@pytest.mark.parametrize(("number", "name"), list(enumerate(ACROSS, start=1)))
def test_the_batches_are_those_of_the_library(number, name):
    expected = [chosen_in(batch, "batch-hard") for batch in batches(ACROSS[name], number)]
    assert drawn()[name].rows.tolist() == expected
    assert name == "exact batch" or len(set(expected)) > 1


@pytest.mark.parametrize("in_batch", IN_BATCH)
def test_the_choices_in_a_batch_are_those_of_the_library(in_batch):
    expected = [chosen_in(batch, in_batch) for batch in batches("uniform", 0)]
    assert drawn()[in_batch].rows.tolist() == expected


def test_weighted_draws_are_those_of_the_library():
    torch.manual_seed(int(np.random.default_rng((SEED, ANCHOR)).integers(1 << 62)))
    assert made().of_one(ANCHOR, 1, seed=SEED)["distance-weighted"].rows[0] == chosen_in(
        batches("uniform", 0)[0], "distance-weighted"
    )


@pytest.mark.slow
def test_a_weighted_draw_is_nearer_than_a_random_one():
    found = made().of_one(ANCHOR, 200, seed=SEED)
    weighted, random, hardest = (found[name].ranks for name in ("distance-weighted", "uniform", "batch-hard"))
    assert (weighted >= hardest).all() and (weighted > hardest).any()
    assert np.median(hardest) < np.median(weighted) < np.median(random)


MUTATIONS = {  # a change of the library's miner, and the line of the page that has to show it
    "no bucket mates": (
        BagOfNegatives,
        "_own_or_borrowed",
        lambda self, seeds: torch.full_like(seeds, -1),
        "BoN batch",
    ),
    "no class neighbours": (
        ClassNeighbours,
        "_lead",
        lambda self, shape, given: Uniform._lead(self, shape, given),
        "class neighbours",
    ),
    "no nearest samples": (Exact, "_search", lambda self, seeds: seeds[:, None], "exact batch"),
    "random negatives": (BagOfNegatives, "_near", lambda self, codes: _nobody(self, codes), "BoN draw"),
    "the easiest negative": (metric_loss, "_miner", lambda name, margin: _easiest(), "batch-hard"),
}


def _nobody(self, codes):
    return torch.full((len(codes), 1), self.index.count), torch.zeros(len(codes), 1)


def _easiest():
    from pytorch_metric_learning.miners import BatchEasyHardMiner

    return BatchEasyHardMiner(pos_strategy="hard", neg_strategy="easy")


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_change_of_the_librarys_miner_changes_the_page(mutation, monkeypatch):
    owner, attribute, instead, line = MUTATIONS[mutation]
    before = drawn()[line]
    monkeypatch.setattr(owner, attribute, instead)
    after = drawn()[line]
    assert after.rows.tolist() != before.rows.tolist()
    assert after.gap > before.gap


def test_the_bag_hashes_with_the_hasher_of_the_snapshot():
    found = made()._across["BoN batch"]
    expected = codes_of(VECTORS, HASHER.mean, HASHER.projection)
    assert (found.codes.numpy() == expected).mean() > 0.99


def test_every_choice_is_a_negative_with_its_distance_and_rank():
    for name, draws in drawn().items():
        known = draws.rows >= 0
        assert (LABELS[draws.rows[known]] != LABELS[ANCHOR]).all(), name
        assert draws.distances[known] == pytest.approx(DISTANCE[ANCHOR, draws.rows[known]], abs=1e-5), name
        negatives = np.sort(DISTANCE[ANCHOR, LABELS[ANCHOR] != LABELS])
        expected = 1 + np.searchsorted(negatives, DISTANCE[ANCHOR, draws.rows[known]] - 1e-9)
        assert draws.ranks[known].tolist() == expected.tolist(), name
        assert np.isnan(draws.ranks[~known]).all() and np.isnan(draws.distances[~known]).all(), name
    assert drawn()["exact"].gap == 0


def test_draws_repeat_with_the_seed_whatever_came_before_and_leave_the_global_generator_alone():
    miners = made()
    one = miners.of_one(ANCHOR, DRAWS, seed=1)
    state = torch.get_rng_state()
    other = miners.of_one(ANCHOR, DRAWS, seed=2)
    again = miners.of_one(ANCHOR, DRAWS, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    for name, draws in one.items():
        assert np.array_equal(draws.rows, again[name].rows), name
    assert not np.array_equal(one["uniform"].rows, other["uniform"].rows)


def test_many_anchors_are_asked_together_and_the_miners_stand_in_their_order():
    found = made().of_many(60, seed=0)
    assert all(50 <= len(draws.rows) <= 60 for draws in found.values())
    gap = {name: draws.gap for name, draws in found.items()}
    assert gap["exact"] == 0
    assert gap["exact batch"] <= gap["BoN batch"] < gap["batch-hard"] < gap["uniform"]
    assert gap["class neighbours"] < gap["batch-hard"] and gap["BoN draw"] < gap["uniform"]


def test_a_larger_memory_holds_harder_negatives():
    small, large = (drawn(mining=replace(SHAPE, memory=memory))["XBM"].gap for memory in (24, 4000))
    assert large < small and made(mining=replace(SHAPE, memory=4000)).memory == 240


def test_a_batch_larger_than_the_data_set_keeps_its_share_of_seeds():
    labels = np.repeat(np.arange(4), 6)
    miners = made(mining=MiningConfig(), labels=labels)
    assert (miners.mining.classes, miners.mining.images, miners.mining.groups) == (4, 4, 1)
    assert miners.of_one(0, 4, seed=0)["batch-hard"].none == 0


def test_where_nothing_can_be_chosen_the_share_of_that_is_told():
    found = drawn(margin=1e-6)["semi-hard"]  # no negative is that little farther than the positive
    assert found.none == 1 and np.isnan(found.gap)
    assert np.isnan(found.ranks).all() and (found.rows == -1).all()


def test_single_samples_of_a_class_are_no_anchors():
    labels = np.concatenate([np.repeat(np.arange(10), 6), 10 + np.arange(40)])
    found = made(mining=replace(SHAPE, groups=4), labels=labels).of_many(40, seed=0)
    assert all((draws.rows < 60).all() for name, draws in found.items() if name not in ("XBM", "exact", "BoN draw"))
