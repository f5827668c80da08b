"""Neighbours: against a slow twin, with duplicates, a graph, and input that must be refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours, joined
from tests import reference_retrieval as reference


def unit(count: int, dim: int, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).standard_normal((count, dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def circle(*degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@settings(max_examples=25)
@given(count=st.integers(3, 60), dim=st.integers(2, 9), seed=st.integers(0, 99), data=st.data())
def test_equals_the_slow_twin(count, dim, seed, data):
    k = data.draw(st.integers(1, count - 1))
    vectors = unit(count, dim, seed)
    table = build_neighbours(vectors, k)
    indices, distances = reference.neighbours(vectors, k)
    np.testing.assert_array_equal(table.indices, indices)
    np.testing.assert_allclose(table.distances, distances, atol=1e-5)


def test_points_on_a_circle():
    table = build_neighbours(circle(0, 60, 90, 180), 3)
    assert table.indices.tolist() == [[1, 2, 3], [2, 0, 3], [1, 0, 3], [2, 1, 0]]
    np.testing.assert_allclose(table.distances[0], [1, np.sqrt(2), 2], atol=1e-6)
    assert table.indices.dtype == np.int32 and table.distances.dtype == np.float32


def test_a_sample_is_not_its_own_neighbour_even_among_more_duplicates_than_are_asked_for():
    vectors = np.concatenate([np.repeat(circle(10), 30, axis=0), circle(50, 70)])
    table = build_neighbours(vectors, 5)
    assert not (table.indices == np.arange(32)[:, None]).any()
    assert (table.indices[:30] < 30).all() and (table.distances[:30] == 0).all()
    assert all(len(set(row)) == 5 for row in table.indices.tolist())


def test_the_nearest_alone_leave_the_table_behind():
    table = build_neighbours(unit(20, 4), 9)
    few = table.nearest(3)
    assert few.indices.tolist() == table.indices[:, :3].tolist() and few.k == 3 and few.kind == table.kind
    assert few.indices.base is None and not np.shares_memory(few.distances, table.distances)
    assert table.nearest(50).k == 9


def test_equal_distances_are_ordered_by_position():
    vectors = np.concatenate([circle(0), np.repeat(circle(40), 3, axis=0), np.repeat(circle(80), 2, axis=0)])
    assert build_neighbours(vectors, 5).indices[0].tolist() == [1, 2, 3, 4, 5]
    assert build_neighbours(vectors[::-1].copy(), 5).indices[5].tolist() == [2, 3, 4, 0, 1]


def test_small_distances_keep_their_digits():
    step = 1e-4  # radians; 1 - cos of it is below float32's resolution
    angle = np.arange(6) * step
    table = build_neighbours(np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32), 5)
    assert table.indices[0].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(table.distances[0], np.arange(1, 6) * step, rtol=1e-2)


def test_parts_that_are_searched_apart_join_to_positions_of_the_whole():
    vectors = unit(40, 6)
    groups = np.random.default_rng(1).integers(0, 2, 40)
    parts = [(rows, build_neighbours(vectors[rows], 4)) for rows in (np.flatnonzero(groups == name) for name in (0, 1))]
    table = joined(parts)
    indices, _ = reference.neighbours(vectors, 4, groups)
    np.testing.assert_array_equal(table.indices, indices)
    for rows, alone in parts:
        np.testing.assert_array_equal(table.part(rows).indices, alone.indices)
        np.testing.assert_array_equal(table.part(rows).distances, alone.distances)


def test_a_part_must_keep_to_itself():
    with pytest.raises(InputError, match="choose a whole split"):
        build_neighbours(unit(10, 4), 3).part(np.arange(5))


def test_the_graph_finds_nearly_all_and_never_fewer():
    vectors = unit(3000, 8)
    exact = build_neighbours(vectors, 10)
    graph = build_neighbours(vectors, 10, kind="hnsw")
    found = [len(set(a) & set(b)) for a, b in zip(exact.indices.tolist(), graph.indices.tolist(), strict=True)]
    assert np.mean(found) > 9.5


def test_the_graph_completes_what_duplicates_have_cut_off():
    vectors = np.concatenate([np.repeat(unit(1, 8), 400, axis=0), np.repeat(unit(1, 8, seed=1), 400, axis=0)])
    table = build_neighbours(vectors, 120, kind="hnsw")  # the table's own checks refuse a -1
    assert all(len(set(row)) == 120 for row in table.indices.tolist())


def test_progress_counts_to_the_end_and_can_cancel(monkeypatch):
    seen = []
    monkeypatch.setattr("bon_core.evaluation.neighbours.QUERY_ROWS", 10)
    build_neighbours(unit(20, 4), 2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(10, 20), (20, 20)]

    def cancel(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        build_neighbours(unit(20, 4), 2, progress=cancel)


@pytest.mark.parametrize(
    ("vectors", "k", "sentence"),
    [
        (unit(5, 3) * 2, 2, "Vector 0 has length 2"),
        (np.full((5, 3), np.nan, np.float32), 2, "normalise the rows"),
        (unit(5, 3), 5, "ask for 1 to 4"),
        (unit(5, 3), 0, "ask for 1 to 4"),
    ],
)
def test_refuses(vectors, k, sentence):
    with pytest.raises(InputError, match=sentence):
        build_neighbours(vectors, k)


@pytest.mark.parametrize(
    ("indices", "distances", "sentence"),
    [
        ([[1], [0]], [[0.5, 0.6], [0.5, 0.6]], "both must be"),
        ([[1], [2]], [[0.5], [0.5]], "but there are 2 samples"),
        ([[-1], [0]], [[0.5], [0.5]], "run from -1"),
        ([[0], [0]], [[0.5], [0.5]], "its own neighbour"),
        ([[1, 2], [0, 2], [0, 1]], [[0.5, 0.4]] * 3, "ascend"),
        ([[1], [0]], [[np.nan], [0.5]], "ascend"),
    ],
)
def test_a_broken_table_is_refused(indices, distances, sentence):
    with pytest.raises(InputError, match=sentence):
        NeighbourTable(np.array(indices, dtype=np.int32), np.array(distances, dtype=np.float32))
    with pytest.raises(InputError, match="must be int32"):
        NeighbourTable(np.array([[1], [0]]), np.array([[0.5], [0.5]]))
