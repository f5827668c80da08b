"""Miners side by side, on points of an arc and against pytorch-metric-learning; kinds of triplets, bags."""

import numpy as np
import pytest

from app.analysis.miners import (
    Pool,
    bag_groups,
    choices,
    distance_weights,
    kinds_of,
    multi_similarity,
    remembered,
    semi_hard,
    violating_share,
)
from bon_core.config import MiningConfig


def arc(count: int) -> np.ndarray:
    """Points on a quarter circle, evenly spaced: the farther in number, the farther in distance."""
    angle = np.linspace(0, np.pi / 2, count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_kinds_split_at_the_positive_and_at_the_margin():
    d_ap = np.array([0.5, 0.5, 0.5, 0.5, np.nan])
    d_an = np.array([0.4, 0.5, 0.7, 0.65, 0.5])
    assert kinds_of(d_ap, d_an, 0.2).tolist() == ["hard", "semi-hard", "easy", "semi-hard", ""]


def test_violating_share_leaves_out_what_was_not_chosen():
    d_ap, d_an = np.array([0.5, 0.5, 0.5, np.nan]), np.array([0.4, 0.65, 0.8, 0.1])
    assert violating_share(d_ap, d_an, 0.2) == pytest.approx(2 / 3)
    assert violating_share(d_ap, d_an, 0.0) == pytest.approx(1 / 3)
    assert np.isnan(violating_share(np.array([np.nan]), np.array([0.1]), 0.2))


def pool_of(vectors: np.ndarray, labels: np.ndarray, codes: np.ndarray | None = None, bits: int = 4) -> Pool:
    codes = np.zeros(len(labels), np.int64) if codes is None else codes
    return Pool.of(vectors, labels, codes, vectors.mean(axis=0), bits)


@pytest.fixture
def line() -> Pool:
    """40 classes of 3 along the arc; buckets of 12 neighbours."""
    number = np.arange(120)
    return pool_of(arc(120), number // 3, number // 12)


SHAPE = MiningConfig(classes=8, images=2, groups=2, memory=30, miner="bon")


def mine(
    pool: Pool, row: int = 0, *, draws: int = 60, margin: float = 0.2, seed: int = 0, mining: MiningConfig = SHAPE
):
    return choices(pool, np.full(draws, row), mining, margin, seed=seed)


# What is drawn from ---------------------------------------------------------------------------------------------------


def test_images_are_of_one_class_the_given_first_and_none_twice(line):
    rng = np.random.default_rng(0)
    for count in (1, 2, 3):
        found = line.images(np.arange(120), count, rng)
        assert found.shape == (120, count)
        assert np.array_equal(found[:, 0], np.arange(120))
        assert np.all(line.label[found] == line.label[:, None])
        assert all(len(set(row)) == count for row in found)


def test_every_classmate_is_drawn_and_a_small_class_repeats():
    pool = pool_of(arc(6), np.array([0, 0, 0, 0, 0, 1]))
    found = pool.images(np.zeros(500, np.int64), 3, np.random.default_rng(0))
    assert np.bincount(found[:, 1:].ravel(), minlength=6) == pytest.approx([0, 250, 250, 250, 250, 0], abs=60)
    assert pool.images(np.array([5]), 3, np.random.default_rng(0)).tolist() == [[5, 5, 5]]


def test_a_batch_has_distinct_classes_but_not_the_anchors_and_those_that_are_led_are_in_it(line):
    anchors, led = np.repeat([0, 60], 50), np.tile([[31, -1], [45, 90]], (50, 1))
    batch = line.batches(anchors, led, 8, 2, np.random.default_rng(0))
    assert batch.shape == (100, 14)
    for anchor, brought, rows in zip(anchors, led, batch, strict=True):
        classes, counts = np.unique(line.label[rows], return_counts=True)
        assert len(classes) == 7 and set(counts) == {2}
        assert line.label[anchor] not in classes
        assert set(brought[brought >= 0]) <= set(rows)


def test_single_images_fill_up_last():
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5])
    batch = pool_of(arc(9), labels).batches(
        np.zeros(200, np.int64), np.empty((200, 0), int), 3, 2, np.random.default_rng(0)
    )
    assert set(labels[batch].ravel()) == {1, 2}


def test_mates_are_of_the_bucket_of_other_classes_and_one_a_class(line):
    found = line.mates(line.codes, np.array([0, 119]), 5, np.random.default_rng(0))
    assert found.shape == (2, 5)
    assert (found[:, 3:] == -1).all(), "a bucket of twelve holds three other classes"
    assert sorted(line.label[found[0, :3]]) == [1, 2, 3]
    assert sorted(line.label[found[1, :3]]) == [36, 37, 38]


def test_every_mate_comes_first_about_equally_often(line):
    first = line.mates(line.codes, np.zeros(900, np.int64), 1, np.random.default_rng(0))[:, 0]
    assert np.bincount(first, minlength=12)[3:12] == pytest.approx(np.full(9, 100), abs=45)


def test_near_classes_are_the_neighbours_on_the_arc(line):
    found = line.near_classes(np.array([0, 60]), 2)
    assert sorted(found[0]) == [1, 2]
    assert sorted(found[1]) == [19, 21]


def test_random_hyperplanes_have_as_many_bits_and_do_not_depend_on_where_the_mean_lies():
    rng = np.random.default_rng(0)
    vectors, shift = rng.standard_normal((500, 8)).astype(np.float32), 5.0
    one = Pool.of(vectors, np.arange(500) // 2, np.zeros(500, int), vectors.mean(axis=0), 5)
    other = Pool.of(vectors + shift, np.arange(500) // 2, np.zeros(500, int), vectors.mean(axis=0) + shift, 5)
    assert one.lsh.min() >= 0 and one.lsh.max() < 32 and len(np.unique(one.lsh)) > 16
    assert (one.lsh == other.lsh).mean() > 0.99


# What is chosen -------------------------------------------------------------------------------------------------------


def test_every_miner_keeps_its_word(line):
    found = mine(line)
    for name, draws in found.items():
        chosen = draws.rows >= 0
        assert np.all(line.label[draws.rows[chosen]] != 0), name
        assert np.all(draws.ranks[chosen] >= 1), name
        assert draws.distances[chosen] == pytest.approx(
            np.linalg.norm(line.vectors[draws.rows[chosen]] - line.vectors[0], axis=1), abs=1e-3
        ), name
    assert found["exact"].gap == 0 and found["exact"].none == 0
    assert np.all(line.codes[found["BoN draw"].rows] == line.codes[0])
    # all three other classes of the bucket come into the batch, so the hardest is always a bucket mate
    assert np.all(line.codes[found["BoN batch"].rows] == line.codes[0])
    assert np.all(np.isin(line.label[found["class neighbours"].rows], [1, 2, 3]))
    assert found["BoN batch"].gap < found["batch-hard"].gap < found["uniform"].gap


def test_over_many_anchors_the_miners_stand_in_their_order(line):
    found = choices(line, line.some(60), SHAPE, 0.2)
    gap = {name: draws.gap for name, draws in found.items()}
    assert gap["exact"] == 0
    assert gap["class neighbours"] <= gap["BoN batch"] < gap["XBM"] < gap["uniform"]
    assert gap["BoN batch"] <= gap["BoN draw"] < gap["uniform"]
    assert gap["batch-hard"] < gap["semi-hard"] < gap["uniform"]


def test_ranks_count_the_nearer_negatives_and_ties_share_the_better():
    vectors = np.array([[1, 0], [0, 1], [0, -1], [-1, 0]], np.float32)
    draws = mine(pool_of(vectors, np.arange(4)), draws=80)["uniform"]
    assert dict(zip(draws.rows.tolist(), draws.ranks.tolist(), strict=True)) == {1: 1, 2: 1, 3: 3}


def test_draws_repeat_with_the_seed_and_change_with_it(line):
    one = mine(line, 7, seed=1)
    for name, draws in mine(line, 7, seed=1).items():
        assert np.array_equal(one[name].rows, draws.rows), name
    assert not np.array_equal(one["uniform"].rows, mine(line, 7, seed=2)["uniform"].rows)


def test_an_empty_bucket_falls_back_to_random(line):
    found = mine(pool_of(line.vectors, line.label, line.label))  # a bucket a class: no negative in it
    assert len(np.unique(found["BoN draw"].rows)) > 10
    assert np.all(line.label[found["BoN batch"].rows] != 0)


def test_as_many_seeds_as_classes_bring_nobody_along(line):
    alone = MiningConfig(classes=8, images=2, groups=8)
    found = mine(line, mining=alone)
    mates = line.codes[found["BoN batch"].rows] == line.codes[0]
    assert mates.mean() < 0.8, "only where chance brought one"
    assert np.all(line.codes[found["BoN draw"].rows] == line.codes[0])


def test_a_memory_of_everything_is_exact_and_a_small_one_is_not(line):
    assert mine(line, mining=MiningConfig(classes=8, images=2, groups=2, memory=10_000))["XBM"].gap == 0
    assert mine(line)["XBM"].gap > 0


def test_a_batch_larger_than_the_data_set_takes_what_there_is():
    found = mine(pool_of(arc(4), np.array([0, 0, 1, 1])), mining=MiningConfig(classes=32, images=4, groups=8))
    assert np.all(found["batch-hard"].ranks <= 2)


def test_one_class_has_no_negatives():
    assert mine(pool_of(arc(3), np.zeros(3, int))) == {}


def test_where_nothing_can_be_chosen_the_share_of_that_is_told(line):
    found = mine(line, margin=1e-6)["semi-hard"]  # no negative is that little farther than the positive
    assert found.none == 1 and np.isnan(found.gap)
    assert np.isnan(found.ranks).all() and (found.rows == -1).all()


def test_an_anchor_without_a_positive_has_no_semi_hard_and_no_multi_similarity():
    found = mine(pool_of(arc(5), np.array([0, 1, 1, 2, 2])), row=0, margin=2)
    assert found["semi-hard"].none == found["multi-similarity"].none == 1
    assert found["batch-hard"].none == 0


def test_semi_hard_lies_behind_a_positive_and_within_the_margin():
    near, away = np.array([[0.5, 0.7, np.nan]]), np.array([[0.45, 0.55, 0.69, 0.75, 0.85, 0.95]])
    assert semi_hard(near, away, 0.2).tolist() == [[0, 1, 1, 1, 1, 0]]
    assert semi_hard(near, away, 0.3).tolist() == [[0, 1, 1, 2, 1, 1]]


def test_multi_similarity_keeps_what_is_nearer_than_the_farthest_positive_and_a_bit():
    near = np.sqrt(2 - 2 * np.array([[0.9, 0.6]]))  # cosines
    away = np.sqrt(2 - 2 * np.array([[0.7, 0.55, 0.51, 0.49, 0.0]]))
    assert multi_similarity(near, away).tolist() == [[True, True, True, False, False]]


def test_distance_weights_even_out_the_distances_on_a_sphere():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((40_000, 8))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    distance = np.linalg.norm(points - np.eye(8)[0], axis=1)
    weights = distance_weights(distance[None], 8)[0]
    assert np.all(weights[distance >= 1.4] == 0)
    bins, _ = np.histogram(distance, bins=4, range=(0.8, 1.2), weights=weights)
    assert bins / bins.mean() == pytest.approx(np.ones(4), abs=0.15)


@pytest.fixture
def batch():
    """24 unit vectors in 6 dimensions, 6 classes of 4 that overlap, and their distances."""
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(6), 4)
    vectors = rng.standard_normal((6, 6))[labels] + 0.8 * rng.standard_normal((24, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    distance = np.sqrt(np.maximum(2 - 2 * vectors @ vectors.T, 0))
    same = labels[:, None] == labels
    near = distance[same & ~np.eye(24, dtype=bool)].reshape(24, 3)
    away, columns = distance[~same].reshape(24, 20), np.nonzero(~same)[1].reshape(24, 20)
    return vectors, labels, near, away, columns


def test_in_batch_choices_are_those_of_pytorch_metric_learning(batch, monkeypatch):
    import torch
    from pytorch_metric_learning import miners
    from pytorch_metric_learning.utils import loss_and_miner_utils

    vectors, labels, near, away, columns = batch
    given = torch.from_numpy(vectors), torch.from_numpy(labels)

    anchors, _, negatives = miners.TripletMarginMiner(margin=0.2, type_of_triplets="semihard")(*given)
    expected = np.zeros((24, 24), int)
    np.add.at(expected, (anchors.numpy(), negatives.numpy()), 1)
    assert expected.any()
    assert np.array_equal(semi_hard(near, away, 0.2), np.take_along_axis(expected, columns, axis=1))

    _, _, anchors, negatives = miners.MultiSimilarityMiner(epsilon=0.1)(*given)
    expected = np.zeros((24, 24), bool)
    expected[anchors.numpy(), negatives.numpy()] = True
    assert expected.any() and not expected[labels[:, None] != labels].all()
    assert np.array_equal(multi_similarity(near, away), np.take_along_axis(expected, columns, axis=1))

    seen = []
    monkeypatch.setattr(
        loss_and_miner_utils,
        "get_random_triplet_indices",
        lambda *_, weights, **__: seen.append(weights) or given[1][:0],
    )
    miners.DistanceWeightedMiner(cutoff=0.5, nonzero_loss_cutoff=1.4).mine(given[0], given[1], *given)
    ours = distance_weights(away, 6)
    expected = np.take_along_axis(seen[0].numpy(), columns, axis=1)
    assert ours / ours.sum(axis=1, keepdims=True) == pytest.approx(expected, rel=1e-3, abs=1e-6)


# Records --------------------------------------------------------------------------------------------------------------


def test_a_bag_is_grouped_by_bucket_with_the_seed_first_and_the_fill_last():
    step = {
        "role": np.array([2, 2, 1, 1, 0, 0, 0, 0]),
        "bucket": np.array([-1, -1, 7, 7, 7, 7, 3, 3]),
    }
    groups = bag_groups(step, np.array([4, 4, 1, 1, 0, 0, 2, 2]))
    assert [group.bucket for group in groups] == [7, 3, -1]
    assert [rows.tolist() for rows in groups[0].classes] == [[4, 5], [2, 3]]
    assert bag_groups({"role": np.array([]), "bucket": np.array([])}, np.array([])) == []


def test_negatives_that_were_not_in_the_batch_came_out_of_the_memory():
    step = {"id": np.array([4, 7, 9]), "negative": np.array([7, 30, -1])}
    assert remembered(step).tolist() == [30]
    assert remembered({"id": np.array([4, 7]), "negative": np.array([7, 4])}).tolist() == []
