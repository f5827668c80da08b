"""The lines of the miners' comparison, and the boards of a replay, as HTML."""

import numpy as np

from app.views.negatives import bag, rank_gap
from app.views.negatives.batches import Group
from app.views.negatives.draws import Draws
from app.views.negatives.miner_draws import Hasher, Miners
from app.widgets.charts import triplets
from bon_core.config import MiningConfig

NUMBERS = {"batch": 124, "memory": 2048, "all": 48}
MINERS = [miner for miners in rank_gap.GROUPS.values() for miner in miners]


def draws(*ranks: float) -> Draws:
    ranks = np.array(ranks, np.float64)
    none = np.isnan(ranks)
    return Draws(np.where(none, -1, 3), np.where(none, np.nan, 0.5), ranks)


def test_every_miner_has_a_line():
    vectors = np.eye(20, dtype=np.float32)
    miners = Miners(vectors, np.arange(20) // 2, Hasher(vectors.mean(axis=0), vectors[:, :3]), MiningConfig(), 0.2)
    assert sorted(miners.of_one(0, 2, seed=0)) == sorted(MINERS)


def test_gaps_and_shares_of_nothing_are_written(view, drawn):
    here = {miner: draws(5, 9, 9) for miner in MINERS} | {"semi-hard": draws(np.nan, np.nan, 8, np.nan)}
    elsewhere = {miner: draws(31, 31) for miner in MINERS} | {"multi-similarity": draws(np.nan, np.nan)}
    rank_gap.rank_gap(view, here, elsewhere, NUMBERS, key="gap")
    (html,) = drawn
    lines = {miner: part for miner, part in zip(MINERS, html.split('class="name">')[1:], strict=True)}
    assert (
        "<b>4</b>" in lines["batch-hard"] and "<b>8</b>" in lines["batch-hard"] and "<b>30</b>" in lines["batch-hard"]
    )
    assert "d 0.50" in lines["batch-hard"] and 'title="rank 5"' in lines["batch-hard"]
    assert ">none<" in lines["semi-hard"] and "<b>7</b>" in lines["semi-hard"] and "none in 75 %" in lines["semi-hard"]
    assert "none in 100 %" in lines["multi-similarity"] and "nan" not in html
    assert "memory of 2,048" in lines["XBM"] and "124 negatives to choose from" in html


def test_the_hardest_lies_at_the_left_and_the_easiest_at_the_right(view, drawn):
    here = {miner: draws(1) for miner in MINERS} | {"uniform": draws(48)}
    rank_gap.rank_gap(view, here, here, NUMBERS, key="gap")
    html = drawn[0]
    assert html.count('title="rank 1" style="left:0.00%') == len(MINERS) - 1
    assert 'title="rank 48" style="left:100.00%' in html


def test_a_bag_shows_what_came_out_of_the_memory(view, drawn):
    ids = view.ids[:4]
    step = {"id": ids, "role": np.full(4, 2)}
    groups = [Group(-1, [np.array([0, 1]), np.array([2, 3])])]
    bag.bag(view, step, groups, view.ids[7:9], key="bag")
    bag.bag(view, step, groups, key="bag")
    assert "out of the memory" in drawn[0] and "out of the memory" not in drawn[1]
    for identity in view.ids[7:9]:
        assert f'data-pick="{identity}"' in drawn[0]


def test_a_triplet_shows_a_negative_of_another_batch_and_says_so(view, drawn):
    anchor, positive, negative = (int(identity) for identity in view.ids[:3])
    row = triplets.Triplet(anchor, positive, negative, 0.4, 0.5, "semi-hard", "out of the memory")
    triplets.triplets(view, [row], margin=0.2, key="triplets")
    assert f'data-pick="{negative}"' in drawn[0] and "out of the memory" in drawn[0]
