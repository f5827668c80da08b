"""Miners side by side on a line of points, kinds of triplets, groups of a bag, ranking of pairs."""

import numpy as np
import pytest

from app.analysis.miners import (
    Anchor,
    active_share,
    bag_groups,
    hardest_pairs,
    kinds_of,
    side_by_side,
    typical_ranks,
)


def arc(count: int) -> np.ndarray:
    """Points on a quarter circle, evenly spaced: the farther in number, the farther in distance."""
    angle = np.linspace(0, np.pi / 2, count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_kinds_split_at_the_positive_and_at_the_margin():
    d_ap = np.array([0.5, 0.5, 0.5, 0.5, np.nan])
    d_an = np.array([0.4, 0.5, 0.7, 0.65, 0.5])
    assert kinds_of(d_ap, d_an, 0.2).tolist() == ["hard", "semi-hard", "easy", "semi-hard", ""]


def test_active_share_leaves_out_what_was_not_chosen():
    d_ap, d_an = np.array([0.5, 0.5, 0.5, np.nan]), np.array([0.4, 0.65, 0.8, 0.1])
    assert active_share(d_ap, d_an, 0.2) == pytest.approx(2 / 3)
    assert active_share(d_ap, d_an, 0.0) == pytest.approx(1 / 3)
    assert np.isnan(active_share(np.array([np.nan]), np.array([0.1]), 0.2))


def test_an_anchor_ranks_its_negatives_by_distance():
    anchor = Anchor.of(arc(5), np.array([0, 0, 1, 1, 2]), 0)
    assert anchor.negatives.tolist() == [2, 3, 4]
    assert anchor.draws([2, 4]).ranks.tolist() == [1, 3]


def test_equally_near_negatives_share_the_better_rank():
    vectors = np.array([[1, 0], [0, 1], [0, -1], [-1, 0]], np.float32)
    anchor = Anchor.of(vectors, np.array([0, 1, 2, 3]), 0)
    assert anchor.draws([1, 2, 3]).ranks.tolist() == [1, 1, 3]


@pytest.fixture
def line():
    """40 classes of 3 along the arc; buckets of 12 neighbours."""
    labels = np.arange(120) // 3
    return arc(120), labels, np.arange(120) // 12


SHAPE = {"classes": 8, "images": 2, "groups": 2}


def test_every_miner_keeps_its_word(line):
    vectors, labels, codes = line
    found = side_by_side(vectors, labels, codes, 0, **SHAPE)
    assert list(found) == ["uniform", "in-batch", "XBM", "BoN draw", "BoN batch", "exact"]
    for draws in found.values():
        assert np.all(labels[draws.rows] != labels[0])
        assert np.all(draws.ranks >= 1)
    assert found["exact"].ranks.tolist() == [1]
    assert np.all(codes[found["BoN draw"].rows] == codes[0])
    # three of the bucket's three other classes come into the batch, so the hardest is always a bucket mate
    assert np.all(codes[found["BoN batch"].rows] == codes[0])
    assert np.median(found["BoN batch"].ranks) < np.median(found["in-batch"].ranks) < np.median(found["uniform"].ranks)


def test_draws_repeat_with_the_seed_and_change_with_it(line):
    one = side_by_side(*line, 7, **SHAPE, seed=1)["uniform"].rows
    assert np.array_equal(one, side_by_side(*line, 7, **SHAPE, seed=1)["uniform"].rows)
    assert not np.array_equal(one, side_by_side(*line, 7, **SHAPE, seed=2)["uniform"].rows)


def test_over_many_anchors_the_miners_stand_in_their_order(line):
    ranks = typical_ranks(*line, anchors=40, **SHAPE)
    assert ranks["exact"] == 1
    assert ranks["BoN batch"] < ranks["in-batch"] < ranks["uniform"]
    assert ranks["BoN batch"] <= ranks["BoN draw"] < ranks["uniform"]


def test_an_empty_bucket_falls_back_to_random(line):
    vectors, labels, _ = line
    found = side_by_side(vectors, labels, labels, 0, **SHAPE)  # a bucket a class: no negative in it
    assert len(np.unique(found["BoN draw"].rows)) > 10
    assert np.all(labels[found["BoN batch"].rows] != 0)


def test_a_batch_larger_than_the_data_set_takes_what_there_is():
    found = side_by_side(arc(4), np.array([0, 0, 1, 1]), np.zeros(4, int), 0, classes=32, images=4, groups=8)
    assert np.all(found["in-batch"].ranks <= 2)


def test_one_class_has_no_negatives():
    assert side_by_side(arc(3), np.zeros(3, int), np.zeros(3, int), 0, **SHAPE) == {}


def test_a_bag_is_grouped_by_bucket_with_the_seed_first_and_the_fill_last():
    step = {
        "role": np.array([2, 2, 1, 1, 0, 0, 0, 0]),
        "bucket": np.array([-1, -1, 7, 7, 7, 7, 3, 3]),
    }
    groups = bag_groups(step, np.array([4, 4, 1, 1, 0, 0, 2, 2]))
    assert [group.bucket for group in groups] == [7, 3, -1]
    assert [rows.tolist() for rows in groups[0].classes] == [[4, 5], [2, 3]]
    assert bag_groups({"role": np.array([]), "bucket": np.array([])}, np.array([])) == []


def test_a_pair_and_its_reverse_are_one_and_easy_ones_are_left_out():
    mined = {
        "anchor": np.array([1, 2, 3, 5, 6]),
        "negative": np.array([2, 1, 4, 6, 5]),
        "d_ap": np.array([0.5, 0.4, 0.9, 0.3, np.nan]),
        "d_an": np.array([0.4, 0.3, 0.6, 0.8, 0.1]),
    }
    pairs = hardest_pairs(mined)
    assert list(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)) == [(3, 4), (1, 2)]
    assert pairs.times.tolist() == [1, 2]
    assert pairs.pull == pytest.approx([0.3, 0.2])
    assert pairs.nearest == pytest.approx([0.6, 0.3])
    assert len(hardest_pairs(mined, top=1)) == 1


def test_no_mined_pair_gives_none():
    assert len(hardest_pairs({name: np.zeros(0) for name in ("anchor", "negative", "d_ap", "d_an")})) == 0
