"""Diagnostics: counts and flows by hand, slices that add up, samples that tell."""

import numpy as np
import pytest

from bon_core.division.diagnostics import (
    class_counts,
    exemplars,
    flows,
    has_positive,
    negative_distances,
    pieces,
    slice_contributions,
    slice_correlation,
)
from bon_core.division.slices import block_masks, slices


def embedding(count: int, dim: int, learners: int, seed: int = 0) -> np.ndarray:
    """As SplitHead gives it: unit slices over sqrt(K)."""
    raw = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    for part in slices(dim, learners):
        raw[:, part] /= np.linalg.norm(raw[:, part], axis=1, keepdims=True) * np.sqrt(learners)
    return raw


def test_class_counts_and_kept_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 2], dtype=np.int32)
    clusters = np.array([0, 0, 1, 2, 2, 1], dtype=np.int16)
    assert class_counts(labels, clusters, 3, 4).tolist() == [[2, 1, 0, 0], [0, 0, 2, 0], [0, 1, 0, 0]]
    assert has_positive(labels, clusters).tolist() == [True, True, False, True, True, False]


def test_flows_count_every_sample_once():
    previous, current = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 2, 1, 1, 0, 2])
    assert flows(previous, current).tolist() == [[0, 0, 1], [0, 2, 1], [1, 0, 1], [1, 1, 2], [2, 2, 1]]


@pytest.mark.parametrize(("dim", "learners"), [(8, 1), (12, 3), (10, 4)])
def test_the_slices_parts_add_up_to_the_squared_distance(dim, learners):
    one, other = embedding(50, dim, learners), embedding(50, dim, learners, seed=1)
    parts = slice_contributions(one, other, block_masks(dim, learners))
    whole = ((one.astype(np.float64) - other) ** 2).sum(axis=1)
    assert parts.shape == (50, learners)
    np.testing.assert_allclose(parts.sum(axis=1), whole, rtol=1e-12)
    own = one[:, slices(dim, learners)[0]] * np.sqrt(learners)  # the learner's own unit slice
    mate = other[:, slices(dim, learners)[0]] * np.sqrt(learners)
    np.testing.assert_allclose(parts[:, 0], ((own - mate) ** 2).sum(axis=1) / learners, rtol=1e-5)
    assert slice_contributions(one[0], other[0], block_masks(dim, learners)).shape == (learners,)


def test_a_dimension_that_two_see_is_shared_between_them():
    masks = np.array([[1, 1, 0], [0, 1, 3]], np.float32)
    parts = slice_contributions(np.array([1.0, 2.0, 3.0]), np.zeros(3), masks)
    np.testing.assert_allclose(parts, [1 + 4 / 2, 4 / 2 + 9])


def test_pieces_are_what_a_learner_sees():
    seen = pieces(np.array([[3.0, 4.0, 7.0], [0.0, 0.0, 2.0]]), np.array([[1, 1, 0], [0, 0.5, 1]], np.float32))
    np.testing.assert_allclose(seen[0], [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(seen[1], [[2 / 53**0.5, 7 / 53**0.5], [0, 1]])


def test_correlation_sees_equal_and_independent_learners():
    vectors = embedding(400, 12, 3)
    vectors[:, 4:8] = vectors[:, :4]
    matrix = slice_correlation(vectors, block_masks(12, 3), seed=0)
    assert matrix.shape == (3, 3)
    np.testing.assert_allclose(np.diag(matrix), 1)
    assert matrix[0, 1] == pytest.approx(1) and abs(matrix[0, 2]) < 0.1
    np.testing.assert_array_equal(matrix, slice_correlation(vectors, block_masks(12, 3), seed=0))
    assert slice_correlation(vectors, block_masks(12, 1), seed=0).tolist() == [[1.0]]


def test_a_learner_that_never_varies_has_no_correlation():
    vectors = embedding(20, 8, 2)
    vectors[:, 4:] = 0.5
    assert np.isnan(slice_correlation(vectors, block_masks(8, 2), seed=0)[1]).all()


def test_negatives_are_of_another_class_and_nearer_inside_a_cluster():
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 3, 300)
    labels = clusters * 10 + rng.integers(0, 4, 300)
    place = labels + np.where(clusters == 1, 100.0, 0.0)
    vectors = np.stack([place, np.zeros(300)], axis=1).astype(np.float32)
    inside, anywhere = negative_distances(vectors, labels, clusters, seed=0, samples=2000)
    assert set(np.unique(inside)) == {1, 2, 3}  # the distances of two different labels of one cluster
    assert anywhere.min() >= 1 and anywhere.max() > 80
    assert 0.6 * 2000 < len(inside) < 0.85 * 2000 and 0.85 * 2000 < len(anywhere) < 2000


def test_no_negatives_where_every_cluster_is_one_class():
    labels = np.arange(40) % 4
    inside, anywhere = negative_distances(np.eye(40, dtype=np.float32), labels, labels, seed=0)
    assert len(inside) == 0 and len(anywhere) > 0


def test_exemplars_on_a_line():
    # clusters at -1 and 1; 0.1 lies at the border, -1.0 in the middle, 3 is empty
    place = np.array([-1.6, -1.0, -0.3, 0.1, 1.0, 2.0], dtype=np.float32)
    vectors = np.stack([place, np.zeros(6, np.float32)], axis=1)
    clusters = np.array([0, 0, 0, 1, 1, 1])
    left, right, empty = exemplars(vectors, clusters, 3, count=2, previous=np.array([0, 1, 1, 1, 1, 1]))
    assert left.centre.tolist() == [1, 0] and left.border.tolist() == [2, 1] and left.newcomers.tolist() == [1, 2]
    assert right.centre.tolist() == [4, 3] and right.border.tolist() == [3, 4] and right.newcomers.tolist() == []
    assert empty.centre.tolist() == empty.border.tolist() == empty.newcomers.tolist() == []
    assert exemplars(vectors, clusters, 2)[0].newcomers.tolist() == []


def test_exemplars_show_each_class_before_any_twice():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 6, 400)
    vectors = rng.standard_normal((400, 4)).astype(np.float32) * (
        1 + classes[:, None]
    )  # the first class lies in the middle
    clusters = rng.integers(0, 2, 400)
    previous = rng.integers(0, 2, 400)
    plain = exemplars(vectors, clusters, 2, count=400, previous=previous)
    varied = exemplars(vectors, clusters, 2, count=12, previous=previous, classes=classes)
    for whole, some in zip(plain, varied, strict=True):
        for kind in ("centre", "border", "newcomers"):
            order, shown = getattr(whole, kind), getattr(some, kind)
            assert len(shown) == 12 and np.bincount(classes[shown]).tolist() == [2] * 6
            for number in range(6):  # of each class the most telling ones
                assert shown[classes[shown] == number].tolist() == order[classes[order] == number][:2].tolist()
