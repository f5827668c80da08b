"""Exact search among vectors that hardly differ, where float32 inner products are all 1: against float64 by hand."""

import numpy as np
import pytest

from bon_core.evaluation import index
from bon_core.evaluation.index import exact_neighbours
from bon_core.evaluation.metrics import neighbours_needed, retrieval_metrics
from bon_core.evaluation.negatives import hardness_of
from bon_core.evaluation.neighbours import build_neighbours, exact_others
from bon_core.evaluation.search import nearest


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def classes(points: int, per: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (points * per, dim) of tight classes, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(points), per)
    return rng.normal(size=(points, dim))[labels] + 0.05 * rng.normal(size=(len(labels), dim)), labels


def far_from_the_origin(spread: float) -> tuple[np.ndarray, np.ndarray]:
    rows, labels = classes(20, 30, 128, 2)
    return unit(1 + spread * rows), labels


def two_far_clumps() -> tuple[np.ndarray, np.ndarray]:
    """Each nearly collapsed, at opposite sides: no single centre helps."""
    rows, labels = classes(20, 30, 128, 3)
    side = np.where(labels % 2, 1.0, -1.0)[:, None]
    return unit(side * np.sin(np.arange(128)) + 1e-4 * rows), labels


def with_copies() -> tuple[np.ndarray, np.ndarray]:
    """Each sample four times, in classes that hardly differ."""
    rows, labels = classes(20, 8, 64, 4)
    return unit(1 + 3e-4 * np.repeat(rows, 4, axis=0)), np.repeat(labels, 4)


KINDS = {
    "3e-4": lambda: far_from_the_origin(3e-4),
    "1e-5": lambda: far_from_the_origin(1e-5),
    "two clumps": two_far_clumps,
    "copies": with_copies,
}


@pytest.fixture(params=KINDS, scope="module")
def crowded(request) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, labels and all true distances (N, N), a sample's own infinite."""
    vectors, labels = KINDS[request.param]()
    exact = vectors.astype(np.float64)
    true = np.linalg.norm(exact[:, None] - exact, axis=2)
    np.fill_diagonal(true, np.inf)
    return vectors, labels, true


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_the_neighbours_are_the_nearest_ones(crowded, kind):
    vectors, labels, true = crowded
    table = build_neighbours(vectors, neighbours_needed(labels), kind=kind)
    np.testing.assert_allclose(table.distances, np.sort(true, axis=1)[:, : table.k], rtol=2e-3)
    assert retrieval_metrics(table, labels)["map@r"] == 1 and table.recall == 1


def test_of_samples_asked_alone_too(crowded):
    vectors, _, true = crowded
    rows = np.arange(0, len(vectors), 7)
    found, distances = exact_others(vectors, rows, 5)
    np.testing.assert_allclose(distances, np.sort(true[rows], axis=1)[:, :5], rtol=2e-3)
    np.testing.assert_allclose(true[rows[:, None], found], distances, rtol=2e-3)


def test_in_blocks_it_is_the_same(crowded, monkeypatch):
    vectors = crowded[0]
    whole = exact_neighbours(vectors, vectors, 9)
    monkeypatch.setattr("bon_core.base.chunks.CHUNK_ROWS", 77)
    monkeypatch.setattr("bon_core.evaluation.distances.MAX_SAMPLED", 77)
    monkeypatch.setattr(index, "COMPARED", 50 * len(vectors))
    np.testing.assert_allclose(exact_neighbours(vectors, vectors, 9)[0], whole[0], rtol=2e-3, atol=1e-20)


def test_so_are_those_of_a_query_from_outside(crowded):
    vectors, labels, true = crowded
    found, distances = nearest(vectors[:40], vectors, 6)
    with_itself = np.sort(np.minimum(true[:40], 9), axis=1)[:, :5]
    np.testing.assert_allclose(distances[:, 1:], with_itself, rtol=2e-3)
    assert (labels[found] == labels[:40, None]).all() and (distances[:, 0] == 0).all()


def test_so_are_the_hardest_negatives_and_their_ranks(crowded):
    vectors, labels, true = crowded
    away = np.where(labels[:, None] == labels, np.inf, true)
    order = np.argsort(away, axis=1, kind="stable")
    mined = order[:, [0, 3, 40]]
    hard = hardness_of(vectors, labels, mined)
    chosen = np.take_along_axis(away, mined, axis=1)
    np.testing.assert_allclose(hard.distances, chosen, rtol=2e-3)
    np.testing.assert_allclose(hard.hardest_distance, away.min(axis=1), rtol=2e-3)
    np.testing.assert_allclose(away[np.arange(len(away)), hard.hardest], away.min(axis=1), rtol=2e-3)
    nearer = (away[:, None] < chosen[:, :, None] * (1 - 2e-3)).sum(axis=2)
    farther = (away[:, None] < chosen[:, :, None] * (1 + 2e-3)).sum(axis=2)
    assert (nearer < hard.ranks).all() and (hard.ranks <= np.maximum(farther, 1)).all()


def test_of_ordinary_vectors_few_are_searched_twice(monkeypatch):
    rows, _ = classes(200, 20, 64, 5)
    asked = []
    again = index._in_float64

    def counted(queries: np.ndarray, *rest):
        asked.append(len(queries))
        return again(queries, *rest)

    monkeypatch.setattr(index, "_in_float64", counted)
    build_neighbours(unit(rows), 20)
    assert sum(asked) < 0.01 * len(rows)


def test_equal_vectors_have_distance_zero_and_the_lowest_positions():
    vectors = np.repeat(unit(np.ones((1, 16))), 300, axis=0)
    table = build_neighbours(vectors, 9)
    assert (table.distances == 0).all() and table.indices[5].max() < 300
