"""The part of the plane a map opens on, points in polygons against a slow twin, coordinates that come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.widgets.map.webgl_map.plane import STEPS, Bounds, beyond, bulk, inside, quantised, whole

SQUARE = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])


def crossings(point: np.ndarray, polygon: np.ndarray) -> bool:
    """Even-odd rule, one edge at a time: is the number of edges to the right of the point odd?"""
    x, y = point
    right = 0
    for k in range(len(polygon)):
        (x1, y1), (x2, y2) = polygon[k], polygon[(k + 1) % len(polygon)]
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            right += 1
    return right % 2 == 1


@pytest.mark.slow
@given(st.integers(0, 10_000), st.integers(3, 40))
def test_any_polygon_holds_what_counting_edges_says(seed, corners):
    rng = np.random.default_rng(seed)
    xy, polygon = rng.standard_normal((300, 2)), rng.standard_normal((corners, 2))
    assert inside(xy, polygon).tolist() == [crossings(point, polygon) for point in xy]


def test_a_square_a_notch_and_a_star_by_hand():
    xy = np.array([[2.0, 2.0], [5.0, 2.0], [2.0, 3.9], [-1.0, 2.0]])
    assert inside(xy, SQUARE).tolist() == [True, False, True, False]
    notched = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 1.0], [0.0, 4.0]])
    assert inside(xy, notched).tolist() == [False, False, False, False]
    assert inside(np.array([[2.0, 0.5], [0.2, 3.0]]), notched).tolist() == [True, True]
    turns = np.pi / 2 + 4 * np.pi / 5 * np.arange(5)
    star = np.stack([np.cos(turns), np.sin(turns)], axis=1)  # crosses itself: its middle is outside by the rule
    assert inside(np.array([[0.0, 0.0], [0.0, 0.8]]), star).tolist() == [False, True]


def test_direction_start_and_repeated_corners_make_no_difference():
    xy = np.random.default_rng(3).random((500, 2)) * 6 - 1
    expected = inside(xy, SQUARE)
    assert 0 < expected.sum() < 500
    assert (inside(xy, SQUARE[::-1]) == expected).all()
    assert (inside(xy, np.roll(SQUARE, 2, axis=0)) == expected).all()
    assert (inside(xy, np.repeat(SQUARE, 3, axis=0)) == expected).all()
    assert (inside(xy, np.concatenate([SQUARE, SQUARE[:1]])) == expected).all()


@pytest.mark.parametrize(
    "polygon",
    [np.empty((0, 2)), SQUARE[:1], SQUARE[:2], np.array([[0, 0], [np.nan, 1], [1, 1.0]]), np.full((4, 2), np.inf)],
)
def test_what_is_no_polygon_holds_nothing(polygon):
    assert not inside(np.zeros((3, 2)), polygon).any()


def test_no_points_no_answers():
    assert inside(np.empty((0, 2)), SQUARE).shape == (0,)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e4), st.floats(-1e4, 1e4))
def test_coordinates_come_back_within_half_a_step(seed, width, offset):
    xy = np.random.default_rng(seed).standard_normal((200, 2)) * (width, 1) + offset
    frame, places = quantised(xy, whole(xy))
    assert places.dtype == np.uint16
    error = np.abs(frame.back(places) - xy).max(axis=0)
    assert (error <= np.array(frame.span) / STEPS / 2 * (1 + 1e-6)).all()


@pytest.mark.parametrize("xy", [np.empty((0, 2)), np.ones((1, 2)), np.array([[1.0, 2.0], [1.0, 3.0]])])
def test_flat_and_empty_maps_can_be_quantised(xy):
    frame, places = quantised(xy, whole(xy))
    assert places.shape == xy.shape and min(frame.span) > 0
    assert np.allclose(frame.back(places), xy, atol=1e-4)


def crowd(count: int, seed: int = 0) -> np.ndarray:
    """Ten groups in the unit square."""
    rng = np.random.default_rng(seed)
    return rng.random((10, 2))[rng.integers(0, 10, count)] + 0.03 * rng.standard_normal((count, 2))


def island(count: int, at, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(at, 0.02, (count, 2))


@pytest.mark.parametrize("at", [(60, 0), (-60, 0), (0, 60), (0, -9), (-40, 40), (1e5, 3), (5, 0.5)])
@pytest.mark.parametrize("count", [1, 20, 100])
@pytest.mark.parametrize("first", [False, True])
def test_a_map_opens_on_the_bulk_wherever_a_small_island_lies(at, count, first):
    parts = [crowd(5285), island(count, at)]
    xy = np.concatenate(parts[::-1] if first else parts)
    found = bulk(xy)
    assert found == whole(parts[0])
    assert sum(each.count for each in beyond(xy, found)) == count


def test_islands_in_several_directions_are_counted_by_direction():
    sides = {(60, 0.5): "→", (-60, 0.5): "←", (0.5, 300): "↑", (40, 40): "↗"}
    xy = np.concatenate([crowd(5000), *(island(20 + k, at) for k, at in enumerate(sides))])
    found = beyond(xy, bulk(xy))
    assert {each.arrow: each.count for each in found} == {arrow: 20 + k for k, arrow in enumerate(sides.values())}
    assert "20 samples lie outside, right" in [each.words for each in found]


def test_an_island_behind_another_does_not_hide_the_bulk():
    xy = np.concatenate([crowd(5000), island(10, (4, 0.5)), island(150, (400, 0.5))])
    assert bulk(xy) == whole(xy[:5000])


@pytest.mark.parametrize(
    "xy",
    [
        crowd(3000),
        np.random.default_rng(0).standard_normal((100_000, 2)),  # its tails are its own
        np.concatenate([crowd(500), crowd(500, 1) + 900]),  # two far clusters of the same size
        np.concatenate([crowd(900), crowd(100, 1) + 90]),  # one in ten is no small island
        np.concatenate([crowd(1000), island(4, (1.3, 0.5))]),  # near: hardly smaller for it
        np.concatenate([crowd(4), [[99, 99]]]),  # of five points none may be left out
        np.ones((300, 2)),
        np.concatenate([np.ones((300, 2)), [[9, 9]]]),  # a point has no extent to be framed
        np.ones((1, 2)),
        np.empty((0, 2)),
    ],
)
def test_a_map_opens_on_all_points_where_none_is_far_off(xy):
    found = bulk(xy)
    assert found == whole(xy) and beyond(xy, found) == []


def test_one_far_point_of_sixty_is_left_out_though_it_is_no_half_per_cent():
    xy = np.concatenate([crowd(59), [[300, 0]]])
    assert bulk(xy) == whole(xy[:59])


def test_points_on_a_line_are_framed_along_it():
    xy = np.zeros((1001, 2))
    xy[:, 0] = np.append(np.linspace(0, 1, 1000), 500)
    assert bulk(xy) == Bounds((0, 0), (1, 0))


@pytest.mark.parametrize("far", [10, 1e3, 1e6])
def test_an_island_however_far_costs_the_bulk_no_precision(far):
    """65,535 steps to the island would put a bulk a millionth as wide into one of them."""
    xy = np.concatenate([crowd(4000), island(20, (far, 0.5))])
    frame, places = quantised(xy, bulk(xy))
    error = np.abs(frame.back(places) - xy)
    assert error[:4000].max() < 1e-6 * max(bulk(xy).span)
    assert error.max() < 1e-6 * far, "the island is where it is"


def test_a_margin_is_put_around_a_point_too():
    box = Bounds((1, 2), (1, 2)).grown(0.1)
    assert box.low < (1, 2) < box.high and box.holds(np.array([[1, 2]])).all() and min(box.span) > 0
