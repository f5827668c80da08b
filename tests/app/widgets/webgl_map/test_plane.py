"""Points in polygons against a slow twin, and coordinates that come back from two bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.widgets.webgl_map.plane import STEPS, inside, quantised

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
    frame, places = quantised(xy)
    assert places.dtype == np.uint16
    error = np.abs(frame.back(places) - xy).max(axis=0)
    assert (error <= np.array(frame.span) / STEPS / 2 * (1 + 1e-6)).all()


@pytest.mark.parametrize("xy", [np.empty((0, 2)), np.ones((1, 2)), np.array([[1.0, 2.0], [1.0, 3.0]])])
def test_flat_and_empty_maps_can_be_quantised(xy):
    frame, places = quantised(xy)
    assert places.shape == xy.shape and min(frame.span) > 0
    assert np.allclose(frame.back(places), xy, atol=1e-4)
