"""Search from outside: against a full sort, ties, queries that must be refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.evaluation.search import nearest


def unit(count: int, dim: int, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).standard_normal((count, dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def circle(*degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@settings(max_examples=25)
@given(count=st.integers(1, 30), seed=st.integers(0, 99), data=st.data())
def test_nearest_to_outside_queries_equals_a_full_sort(count, seed, data):
    k = data.draw(st.integers(1, count))
    vectors, queries = unit(count, 5, seed), unit(4, 5, seed + 1000)
    positions, distances = nearest(queries, vectors, k)
    away = np.linalg.norm(queries[:, None].astype(np.float64) - vectors[None], axis=2)
    np.testing.assert_array_equal(positions, np.argsort(away, axis=1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(away, axis=1)[:, :k], atol=1e-3)


def test_nearest_orders_ties_by_position_and_refuses_bad_queries():
    vectors = np.concatenate([circle(90), np.repeat(circle(0), 4, axis=0)])
    assert nearest(circle(0), vectors, 3)[0].tolist() == [[1, 2, 3]]
    with pytest.raises(InputError, match="ask for 1 to 5"):
        nearest(circle(0), vectors, 6)
    with pytest.raises(InputError, match="2 wide"):
        nearest(unit(1, 3), vectors, 1)
