"""Clustering: what k-means must hold, warm starts, degenerate data; matching recovers every permutation."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.base import chunks
from bon_core.config import InputError
from bon_core.division import clustering
from bon_core.division.clustering import align, cluster, cluster_means, match


def clouds(clusters: int, images: int, dim: int = 6, noise: float = 0.05, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(clusters), images))
    vectors = 3 * rng.standard_normal((clusters, dim))[labels] + noise * rng.standard_normal((len(labels), dim))
    return vectors.astype(np.float32), labels


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    return len(np.unique(np.stack([one, other]), axis=1).T) == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("num_clusters", [1, 2, 4, 8])
def test_finds_clear_clusters(num_clusters):
    vectors, truth = clouds(num_clusters, 30)
    assert same_partition(cluster(vectors, num_clusters, seed=0).labels, truth)


@settings(max_examples=30)
@given(count=st.integers(1, 60), seed=st.integers(0, 99), distinct=st.integers(1, 60), data=st.data())
def test_is_a_fixed_point_without_empty_clusters(count, seed, distinct, data):
    num_clusters = data.draw(st.integers(1, min(count, 9)))
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((distinct, 3)).astype(np.float32)[rng.integers(0, distinct, count)]
    found = cluster(vectors, num_clusters, seed=seed)
    assert found.labels.shape == (count,) and found.labels.dtype == np.int64
    assert (np.bincount(found.labels, minlength=num_clusters) > 0).all()
    for name in range(num_clusters):
        members = vectors[found.labels == name].astype(np.float64)
        np.testing.assert_allclose(found.centroids[name], members.mean(0), atol=1e-5)
    squared = ((vectors[:, None] - found.centroids) ** 2).sum(2)
    own = squared[np.arange(count), found.labels]
    assert found.objective == pytest.approx(own.mean(), abs=1e-5)
    if distinct >= count and len(np.unique(vectors, axis=0)) == count:
        np.testing.assert_allclose(own, squared.min(axis=1), atol=1e-4)


def test_a_collapsed_embedding_still_gives_k_clusters():
    found = cluster(np.ones((10, 4), np.float32), 4, seed=0)
    assert sorted(np.bincount(found.labels)) == [1, 1, 1, 7] and found.objective == 0


def test_an_empty_cluster_takes_the_farthest_sample_of_those_with_company():
    vectors, means = (np.array(column, np.float32)[:, None] for column in ([0, 0.1, 20], [0, 10, 50]))
    assert clustering._assign(vectors, means).tolist() == [0, 2, 1]  # 20 lies farthest, but would leave 10 empty


def test_the_seed_decides():
    vectors = np.random.default_rng(0).standard_normal((300, 5)).astype(np.float32)
    one, same, other = (cluster(vectors, 6, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.labels, same.labels) and np.array_equal(one.centroids, same.centroids)
    assert not np.array_equal(one.labels, other.labels)


def test_blocks_do_not_change_the_result(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    whole = cluster(vectors, 5, seed=0)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 33)
    assert np.array_equal(cluster(vectors, 5, seed=0).labels, whole.labels)


def slow_lloyd(vectors: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Labels (N,) by rounds of Lloyd's in float64 until they stay."""
    labels, before = None, np.empty(0)
    while not np.array_equal(labels, before):
        before, labels = labels, ((vectors[:, None].astype(np.float64) - means) ** 2).sum(2).argmin(1)
        means = np.stack([vectors[labels == name].mean(0, dtype=np.float64) for name in range(len(means))])
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_a_warm_start_ends_where_lloyds_rounds_do(seed):
    """Of all samples: faiss by itself would take 256 of a cluster."""
    vectors, truth = clouds(4, 1000, noise=1.5, seed=seed)
    previous = np.where(np.random.default_rng(seed).random(4000) < 0.3, (truth + 1) % 4, truth)
    means = np.stack([vectors[previous == name].mean(0) for name in range(4)])
    expected = slow_lloyd(vectors, means)
    found = cluster(vectors, 4, seed=0, previous=previous)
    assert np.array_equal(found.labels, expected) and not np.array_equal(expected, previous)


def test_several_starts_find_what_one_would_miss():
    """Ten small clouds: of 40 seeds one start finds all with 17, the best of three with 33."""
    vectors, truth = clouds(10, 20, noise=0.5)
    assert sum(same_partition(cluster(vectors, 10, seed=seed).labels, truth) for seed in range(40)) >= 27


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_arguments_give_the_same_clusters_by_several_threads(threads):
    import faiss

    vectors = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        one, same = (cluster(vectors, 6, seed=0) for _ in range(2))
    finally:
        faiss.omp_set_num_threads(before)
    assert np.array_equal(one.labels, same.labels) and np.array_equal(one.centroids, same.centroids)


def test_vectors_of_a_file_stay_there(tmp_path):
    vectors = np.lib.format.open_memmap(tmp_path / "vectors.npy", mode="w+", dtype=np.float32, shape=(200_000, 32))
    vectors[:] = np.random.default_rng(0).standard_normal((1, 32)) + np.arange(200_000)[:, None] % 2
    cluster(vectors[:1000], 2, seed=0)  # faiss is there
    tracemalloc.start()
    found = cluster(vectors, 2, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(np.bincount(found.labels), [100_000, 100_000])
    assert peak < vectors.nbytes


def test_a_warm_start_keeps_names_when_the_space_has_turned():
    vectors, truth = clouds(5, 40)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))
    turned = (vectors @ rotation).astype(np.float32)
    assert np.array_equal(cluster(turned, 5, seed=9, previous=truth).labels, truth)


@pytest.mark.parametrize("emptied", [0, 2, 3])
def test_a_warm_start_reseeds_a_cluster_that_had_emptied_and_keeps_the_names_of_the_others(emptied):
    vectors, truth = clouds(4, 25)
    previous = np.where(truth == emptied, 1, truth)
    found = cluster(vectors, 4, seed=0, previous=previous).labels
    others = ~np.isin(truth, [1, emptied])
    assert same_partition(found, truth) and np.array_equal(found[others], truth[others])


@pytest.mark.parametrize("num_clusters", [1, 2, 3, 4])
def test_every_permutation_of_identical_clusterings_is_recovered(num_clusters):
    previous = np.random.default_rng(0).permutation(np.arange(40) % num_clusters)
    for names in itertools.permutations(range(num_clusters)):
        current = np.array(names)[previous]
        assert np.array_equal(align(previous, current, num_clusters), previous), names


@pytest.mark.parametrize("num_clusters", [8, 32])
def test_random_permutations_are_recovered(num_clusters):
    rng = np.random.default_rng(0)
    for _ in range(50):
        previous = rng.permutation(np.arange(5 * num_clusters) % num_clusters)
        current = rng.permutation(num_clusters)[previous]
        assert np.array_equal(align(previous, current, num_clusters), previous)


def test_matching_takes_the_largest_total_overlap_not_the_greedy_one():
    # current 0 overlaps previous 0 by 6 and previous 1 by 5; current 1 overlaps previous 0 by 5 and previous 1 by none
    previous = np.array([0] * 6 + [1] * 5 + [0] * 5)
    current = np.array([0] * 11 + [1] * 5)
    assert match(previous, current, 2).tolist() == [1, 0]


def test_matching_gives_a_permutation_even_where_clusters_are_empty():
    names = match(np.array([3, 3, 3]), np.array([1, 1, 1]), 4)
    assert sorted(names) == [0, 1, 2, 3] and names[1] == 3


def test_doubled_clusters_go_to_the_learners_of_their_parents():
    """Parents 0 and 1 split into two each; parent 0's children must be called 0 and 1, parent 1's 2 and 3."""
    previous = np.repeat([0, 1], 40)
    current = np.concatenate([np.repeat([3, 1], [25, 15]), np.repeat([0, 2], [10, 30])])
    names = match(previous, current, 4, num_previous=2)
    assert sorted(names.tolist()) == [0, 1, 2, 3]
    assert set(names[[3, 1]]) == {0, 1} and set(names[[0, 2]]) == {2, 3}


def test_renaming_takes_the_centroids_along():
    vectors, _ = clouds(5, 20)
    found = cluster(vectors, 5, seed=0)
    renamed = found.renamed(np.array([2, 0, 1, 4, 3]))
    assert np.array_equal(renamed.labels, np.array([2, 0, 1, 4, 3])[found.labels])
    means, sizes = cluster_means(vectors, renamed.labels, 5)
    np.testing.assert_allclose(renamed.centroids, means, atol=1e-5)
    assert sizes.tolist() == [20] * 5


@pytest.mark.parametrize(
    ("vectors", "num_clusters", "previous", "sentence"),
    [
        (np.ones(5, np.float32), 2, None, "one row a sample"),
        (np.ones((5, 2), np.int64), 2, None, "one row a sample"),
        (np.ones((0, 2), np.float32), 1, None, "one row a sample"),
        (np.ones((5, 2), np.float32), 6, None, "5 samples cannot form 6 clusters"),
        (np.ones((5, 2), np.float32), 0, None, "ask for 1 to 5"),
        (np.full((5, 2), np.nan, np.float32), 2, None, "NaN or infinity"),
        (np.ones((5, 2), np.float32), 2, np.zeros(4, np.int64), "previous clustering"),
        (np.ones((5, 2), np.float32), 2, np.full(5, 2), "integers from 0 to 1"),
    ],
)
def test_refuses(vectors, num_clusters, previous, sentence):
    with pytest.raises(InputError, match=sentence):
        cluster(vectors, num_clusters, seed=0, previous=previous)


def test_matching_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="must label the same"):
        align(np.zeros(3, np.int64), np.zeros(4, np.int64), 2)
    with pytest.raises(InputError, match="from 0 to 1"):
        align(np.zeros(3, np.int64), np.full(3, -1), 2)
    with pytest.raises(InputError, match="and none"):
        align(np.zeros(0, np.int64), np.zeros(0, np.int64), 2)
