"""The descent: the same on any number of threads, regions that pull like one, and a step worked by hand."""

import numpy as np
import pytest

from bon_core.maps import layout
from bon_core.maps.layout import along_curve, descend

CURVE = (1.5, 0.9)


def test_the_curve_visits_quarter_after_quarter():
    grid = np.array([[x, y] for y in range(4) for x in range(4)], dtype=np.float32)
    by_hand = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]
    assert along_curve(grid).tolist() == by_hand
    shuffled = np.random.default_rng(0).permutation(16)
    assert shuffled[along_curve(grid[shuffled])].tolist() == by_hand


def test_samples_at_one_place_keep_their_order():
    assert along_curve(np.ones((5, 2), dtype=np.float32)).tolist() == [0, 1, 2, 3, 4]


def ring(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each sample joined to the one before and the one after."""
    heads = np.arange(count, dtype=np.int32).repeat(2)
    tails = np.stack([np.arange(count) - 1, np.arange(count) + 1], axis=1).reshape(-1) % count
    return heads, tails.astype(np.int32), np.ones(2 * count, dtype=np.float32)


@pytest.mark.parametrize("regions", [1, 7])
def test_any_number_of_threads_gives_the_same_map(monkeypatch, regions):
    monkeypatch.setattr(layout, "REGION", 300 // regions)
    start = np.random.default_rng(0).standard_normal((300, 2)).astype(np.float32)
    maps = []
    for cores in (1, 2, 8):
        monkeypatch.setattr(layout.os, "cpu_count", lambda cores=cores: cores)
        places = start.copy()
        descend(places, *ring(300), epochs=40, rate=0.5, negatives=3, curve=CURVE, seed=5)
        maps.append(places)
    assert np.isfinite(maps[0]).all() and np.abs(maps[0] - start).max() > 0.1
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


@pytest.mark.parametrize("region", [2, 1])
def test_two_neighbours_close_in_on_each_other_within_a_region_and_across(monkeypatch, region):
    """By hand: the edge's one turn is in epoch 1, at half the rate; either of its two directions moves either end."""
    monkeypatch.setattr(layout, "REGION", region)
    a, b = CURVE
    places = np.array([[0, 0], [3, 0]], dtype=np.float32)
    edges = np.array([0, 1], np.int32), np.array([1, 0], np.int32), np.ones(2, np.float32)
    descend(places, *edges, epochs=2, rate=0.01, negatives=0, curve=CURVE, seed=0)
    step = 0.005 * 2 * a * b * 3 ** (2 * b - 1) / (1 + a * 3 ** (2 * b))
    assert places[:, 1].tolist() == [0, 0]
    assert 3 - (places[1, 0] - places[0, 0]) == pytest.approx(4 * step, rel=0.02)  # the second sees the first's step
    assert places.mean() == pytest.approx(0.75, rel=1e-5)  # neither is dragged along


def test_strangers_push_each_other_away():
    places = np.array([[0, 0], [0.5, 0], [0, 0.5]], dtype=np.float32)
    edges = np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32), np.ones(3, np.float32)  # to oneself: no pull
    descend(places, *edges, epochs=30, rate=0.1, negatives=2, curve=CURVE, seed=0)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(3, 1)]
    assert (apart > 1).all()


def test_weak_edges_have_fewer_turns():
    """Two pairs: one edge has its turn in each of 12 epochs, the other in every fourth."""
    places = np.array([[0, 0], [3, 0], [100, 0], [103, 0]], dtype=np.float32)
    heads, tails = np.arange(4, dtype=np.int32), np.array([1, 0, 3, 2], np.int32)
    descend(
        places,
        heads,
        tails,
        np.array([1, 1, 0.25, 0.25], np.float32),
        epochs=13,
        rate=0.001,
        negatives=0,
        curve=CURVE,
        seed=0,
    )
    closer = 3 - np.array([places[1, 0] - places[0, 0], places[3, 0] - places[2, 0]], dtype=np.float64)
    turns = [sum(1 - epoch / 13 for epoch in range(step, 13, step)) for step in (1, 4)]
    assert closer[0] / closer[1] == pytest.approx(turns[0] / turns[1], rel=0.05)


def test_what_progress_raises_ends_it():
    seen = []

    def stop(done: int, of: int) -> None:
        seen.append((done, of))
        if done == 3:
            raise KeyboardInterrupt

    places = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    with pytest.raises(KeyboardInterrupt):
        descend(places, *ring(50), epochs=9, rate=0.5, negatives=1, curve=CURVE, seed=0, progress=stop)
    assert seen == [(1, 9), (2, 9), (3, 9)]
