import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bon_core.config import InputError
from bon_core.datasets.embeddings import EmbeddingSet

VECTORS = np.array([[3.0, 4.0], [0.0, 2.0], [-5.0, 0.0]])


def unit(**changes) -> EmbeddingSet:
    values = {
        "vectors": np.array([[0.6, 0.8], [0, 1], [-1, 0]], np.float32),
        "labels": np.array([0, 1, 0]),
        "ids": np.array([5, 3, 4]),
        "class_names": ("a", "b"),
    }
    return EmbeddingSet(**values | changes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_of_normalises_any_number_type(dtype):
    made = EmbeddingSet.of(VECTORS.astype(dtype), [0, 1, 0])
    np.testing.assert_allclose(made.vectors, [[0.6, 0.8], [0, 1], [-1, 0]], atol=1e-6)
    assert made.vectors.dtype == np.float32 and made.labels.dtype == np.int64 and made.ids.dtype == np.int64


def test_of_numbers_what_has_no_names():
    made = EmbeddingSet.of(VECTORS, np.array(["owl", "cat", "owl"]))
    assert made.class_names == ("cat", "owl")
    assert made.labels.tolist() == [1, 0, 1]
    assert made.ids.tolist() == [0, 1, 2]


def test_of_closes_gaps_in_the_labels_but_keeps_their_names():
    made = EmbeddingSet.of(VECTORS, np.array([40, 7, 40]))
    assert made.class_names == ("7", "40") and made.labels.tolist() == [1, 0, 1]


def test_of_keeps_given_names_and_ids():
    made = EmbeddingSet.of(VECTORS, np.array([2, 0, 2]), ids=np.array([9, 8, 7]), class_names=["x", "unused", "z"])
    assert made.class_names == ("x", "unused", "z")
    assert made.labels.tolist() == [2, 0, 2] and made.ids.tolist() == [9, 8, 7]


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.integers(-50, 50)),
    st.sampled_from([0.25, 1.0, 1024.0]),
)
def test_of_gives_unit_rows_whatever_the_scale(vectors, scale):
    vectors[~vectors.any(axis=1), 0] = 1
    labels = np.zeros(len(vectors), int)
    made = EmbeddingSet.of(vectors * scale, labels)
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(made.vectors, EmbeddingSet.of(vectors, labels).vectors, atol=1e-6)


def test_take_keeps_ids_and_class_names_in_the_given_order():
    taken = unit().take(np.array([2, 0]))
    assert taken.ids.tolist() == [4, 5] and taken.labels.tolist() == [0, 0]
    assert taken.class_names == ("a", "b") and len(taken) == 2
    np.testing.assert_allclose(taken.vectors[0], [-1, 0])


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        (np.zeros(3), "must be real numbers"),
        (np.array([["a", "b"]] * 3), "must be real numbers"),
        (VECTORS.astype(complex), "must be real numbers"),
        (VECTORS * [[1], [0], [1]], "Embedding 1 .and 0 more."),
        (VECTORS * [np.nan, 1], "Embedding 0 .and 2 more. holds NaN"),
        (np.vstack([VECTORS[:2], [np.inf, 1]]), "Embedding 2"),
        (np.zeros((3, 0)), "drop such rows|at least one"),
    ],
)
def test_of_refuses_rows_without_a_direction(vectors, sentence):
    with pytest.raises(InputError, match=sentence):
        EmbeddingSet.of(vectors, [0, 1, 0])


def test_of_refuses_negative_labels():
    with pytest.raises(InputError, match="smallest label is -1"):
        EmbeddingSet.of(VECTORS, np.array([0, -1, 0]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vectors": np.ones((3, 2), np.float32)}, "Embedding 0 has length 1.414"),
        ({"vectors": np.array([[0.6, 0.8], [0, np.nan], [-1, 0]], np.float32)}, "Embedding 1 has length nan"),
        ({"vectors": np.zeros((0, 2), np.float32)}, "at least one of each"),
        ({"labels": np.array([0, 1])}, r"3 embeddings but labels have shape \(2,\); give one label a row"),
        ({"labels": np.array([[0, 1, 0]])}, "labels have shape"),
        ({"ids": np.arange(4)}, "ids have shape"),
        ({"ids": np.array([1, 2, 1])}, "share an id"),
        ({"labels": np.array([0, 2, 0])}, "Labels run from 0 to 2, but there are 2 class names"),
        ({"labels": np.array([0, -1, 0])}, "Labels run from -1"),
    ],
)
def test_invalid_sets_are_refused_in_a_sentence(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        unit(**changes)


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1e-3, 1e18, 1e38])
def test_of_keeps_the_direction_of_vectors_of_any_length(scale):
    """Squares of float32 vanish or overflow long before the numbers do."""
    vectors = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32) * np.float32(scale)
    found = EmbeddingSet.of(vectors, np.arange(2)).vectors
    assert np.allclose(found, [[0.6, 0.8], [1.0, 0.0]], atol=1e-4)
    mixed = EmbeddingSet.of(np.concatenate([vectors, np.ones((1, 2), np.float32)]), np.arange(3)).vectors
    assert np.allclose(mixed[:2], found, atol=1e-6) and np.allclose(mixed[2], 0.5**0.5)
