"""Retrieval metrics: by hand, against a slow twin, against pytorch-metric-learning."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.evaluation import metrics
from bon_core.evaluation.metrics import (
    neighbours_needed,
    nmi,
    per_query,
    recall,
    retrieval_metrics,
)
from bon_core.evaluation.neighbours import NeighbourTable, build_neighbours
from tests import reference_retrieval as reference


def circle(*degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def clouds(classes: int, images: int, dim: int = 8, noise: float = 0.5, seed: int = 0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, dim))
    labels = np.repeat(np.arange(classes), images)
    raw = centres[labels] + noise * rng.standard_normal((len(labels), dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), labels


def test_by_hand():
    # along the circle: a a b a, then a lone c
    labels = np.array([0, 0, 1, 0, 2])
    table = build_neighbours(circle(0, 1, 2.5, 4.5, 10), 4)
    assert table.indices[[0, 1, 3]].tolist() == [[1, 2, 3, 4], [0, 2, 3, 4], [2, 1, 0, 4]]
    results = per_query(table, labels)
    assert results.relevant.tolist() == [2, 2, 0, 2, 0]
    assert results.first_correct.tolist() == [1, 1, 0, 2, 0]
    assert results.correct_at_1.tolist() == [True, True, False, False, False]
    np.testing.assert_allclose(results.r_precision, [0.5, 0.5, np.nan, 0.5, np.nan])
    np.testing.assert_allclose(results.ap_at_r, [0.5, 0.5, np.nan, 0.25, np.nan])
    assert retrieval_metrics(table, labels) == pytest.approx(
        {
            "recall@1": 2 / 3,
            "recall@2": 1,
            "recall@4": 1,
            "recall@8": 1,
            "r_precision": 0.5,
            "map@r": 1.25 / 3,
            "queries": 3,
        }
    )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 999), count=st.integers(12, 80), classes=st.integers(1, 12), block=st.sampled_from([7, 2**22])
)
def test_equals_the_slow_twin(seed, count, classes, block):
    rng = np.random.default_rng(seed)
    vectors, _ = clouds(1, count, seed=seed)
    labels = rng.integers(0, classes, count) * 5  # neither dense nor balanced
    table = build_neighbours(vectors, neighbours_needed(labels))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "CHUNK_ENTRIES", block)
        assert retrieval_metrics(table, labels) == pytest.approx(reference.metrics(table.indices, labels))


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_equals_pytorch_metric_learning(noise):
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    vectors, labels = clouds(20, 7, noise=noise)
    labels[:9] = np.arange(100, 109)  # lone ones, and a class of unequal size
    ours = retrieval_metrics(build_neighbours(vectors, neighbours_needed(labels)), labels)
    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
    theirs = AccuracyCalculator(include=names, k="max_bin_count").get_accuracy(vectors, labels)
    assert [ours["recall@1"], ours["r_precision"], ours["map@r"]] == pytest.approx([theirs[name] for name in names])


def test_more_neighbours_than_needed_change_nothing():
    vectors, labels = clouds(6, 10)
    assert retrieval_metrics(build_neighbours(vectors, 9), labels) == retrieval_metrics(
        build_neighbours(vectors, 40), labels
    )


def test_neighbours_needed():
    assert neighbours_needed(np.repeat(np.arange(5), 3)) == 8
    assert neighbours_needed(np.repeat(np.arange(5), 30)) == 29
    assert neighbours_needed(np.zeros(4, np.int64)) == 3


def test_recall_alone_needs_eight_neighbours_and_retrieval_the_largest_class():
    vectors, labels = clouds(3, 30)
    table = build_neighbours(vectors, 8)
    full = retrieval_metrics(build_neighbours(vectors, 29), labels)
    assert recall(table, labels) == {
        name: full[name] for name in ("recall@1", "recall@2", "recall@4", "recall@8", "queries")
    }
    with pytest.raises(InputError, match="needs 29 neighbours a sample, but the table has 8"):
        retrieval_metrics(table, labels)
    with pytest.raises(InputError, match="needs 8 neighbours a sample, but the table has 5"):
        recall(build_neighbours(vectors, 5), labels)


def test_queries_are_those_that_have_something_to_find_however_much_is_measured():
    vectors, labels = clouds(3, 30)
    labels = np.where(np.arange(90) % 10 == 0, 100 + np.arange(90), labels)  # nine with a class of their own
    table = build_neighbours(vectors, 29)
    assert recall(table, labels)["queries"] == retrieval_metrics(table, labels)["queries"] == 81


def test_refuses_labels_that_do_not_fit_or_have_no_pair():
    table = build_neighbours(clouds(3, 5)[0], 8)
    with pytest.raises(InputError, match="one label a sample"):
        retrieval_metrics(table, np.zeros(14, np.int64))
    with pytest.raises(InputError, match="single sample"):
        retrieval_metrics(table, np.arange(15))
    with pytest.raises(InputError, match="one label a sample"):
        retrieval_metrics(table, np.zeros(14, np.int64))


def test_memory_does_not_grow_with_the_number_of_classes():
    indices = (np.arange(4000)[:, None] + np.arange(1, 9)) % 4000
    table = NeighbourTable(indices.astype(np.int32), np.tile(np.arange(8, dtype=np.float32), (4000, 1)))
    labels = np.arange(4000) // 2 * 10**9  # a table of 2,000 x 2,000 classes alone would take 32 MB
    tracemalloc.start()
    retrieval_metrics(table, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


def test_nmi_is_one_for_clear_classes_and_near_nothing_for_random_ones():
    vectors, labels = clouds(2, 100, noise=0.01)
    assert nmi(vectors, labels, seed=0) == pytest.approx(1)
    assert nmi(vectors, labels, seed=0) == nmi(vectors, labels, seed=0)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert nmi(vectors, shuffled, seed=0) < 0.2
