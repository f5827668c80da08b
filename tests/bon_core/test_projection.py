"""Projection: structure survives, maps stay put, quality measures agree with their definitions."""

import subprocess
import sys

import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.projection import align_map, pca, project, project_moments, trust, trustworthiness
from bon_core.retrieval.neighbours import build_neighbours


def clouds(classes: int, images: int, dim: int = 8, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), images)
    raw = rng.standard_normal((classes, dim))[labels] + 0.15 * rng.standard_normal((len(labels), dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), labels


def turned(xy: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return xy @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.fixture(scope="module")
def mapped():
    vectors, labels = clouds(6, 40)
    table = build_neighbours(vectors, 20)
    return vectors, labels, table, project(vectors, table, seed=0)


def test_the_map_keeps_classes_together_and_stays_in_its_frame(mapped):
    vectors, labels, table, xy = mapped
    assert xy.shape == (240, 2) and xy.dtype == np.float32
    assert np.abs(xy).max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(xy.mean(axis=0), 0, atol=1e-5)
    nearest_on_map = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(nearest_on_map, np.inf)
    assert (labels[nearest_on_map.argmin(axis=1)] == labels).mean() > 0.97
    assert trustworthiness(xy, vectors, seed=0) > 0.95 > trustworthiness(pca(vectors), vectors, seed=0)
    assert trust(xy, table).mean() > trust(pca(vectors), table).mean() + 0.05


def test_the_seed_decides(mapped):
    vectors, _, table, xy = mapped
    assert np.array_equal(project(vectors, table, seed=0), xy)
    assert not np.array_equal(project(vectors, table, seed=1), xy)


def test_a_map_that_follows_another_moves_less_than_a_fresh_one(mapped):
    vectors, _, table, xy = mapped
    following = project(vectors, table, seed=5, previous=turned(xy, 130), epochs=30)
    drift = np.linalg.norm(following - turned(xy, 130), axis=1).mean()
    assert drift < 0.25 < np.linalg.norm(project(vectors, table, seed=5, epochs=30) - turned(xy, 130), axis=1).mean()


def test_moments_follow_what_changed_and_leave_the_rest_where_it_is(mapped):
    vectors, labels, table, xy = mapped
    swapped = vectors.copy()
    one, other = np.flatnonzero(labels == 1), np.flatnonzero(labels == 4)
    swapped[one], swapped[other] = vectors[other], vectors[one]
    maps = project_moments([table, build_neighbours(swapped, 20), table], xy, seed=0)
    assert maps.shape == (3, 240, 2) and maps.dtype == np.float32
    np.testing.assert_allclose(maps.var(axis=1).sum(axis=1), xy.var(axis=0).sum(), rtol=1e-3)
    assert np.linalg.norm(maps[0] - xy, axis=1).mean() < 0.15
    still = ~np.isin(labels, (1, 4))
    assert np.linalg.norm(maps[2] - maps[0], axis=1)[still].mean() < 0.2
    for moment, neighbours in enumerate((table, build_neighbours(swapped, 20), table)):
        assert trust(maps[moment], neighbours).mean() > trust(xy, table).mean() - 0.1


def test_moments_of_few_samples_stand_still_and_strangers_are_refused(mapped):
    vectors, _ = clouds(5, 2)
    table = build_neighbours(vectors, 5)
    start = pca(vectors)
    np.testing.assert_array_equal(project_moments([table, table], start, seed=0), [start, start])
    with pytest.raises(InputError, match="neighbours of 240"):
        project_moments([mapped[2]], start, seed=0)


def test_progress_reports_epochs_and_can_cancel(mapped):
    vectors, _, table, _ = mapped
    seen = []
    project(vectors, table, seed=0, epochs=12, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (12, 12) and [done for done, _ in seen] == sorted(done for done, _ in seen) and len(seen) > 5

    def cancel(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        project(vectors, table, seed=0, epochs=12, progress=cancel)


@pytest.mark.parametrize("count", [3, 5, 15, 16, 17])
def test_tiny_sets_have_a_map(count):
    vectors, _ = clouds(count, 1)
    xy = project(vectors, build_neighbours(vectors, min(15, count - 1)), seed=0)
    assert xy.shape == (count, 2) and np.isfinite(xy).all() and np.abs(xy).max() <= 1.0001


@pytest.mark.parametrize("vectors", [np.tile([[0.6, 0.8]], (40, 1)), np.ones((40, 1))])
def test_a_collapsed_embedding_has_a_map(vectors):
    vectors = vectors.astype(np.float32)
    xy = project(vectors, build_neighbours(vectors, 15), seed=0, epochs=20)
    assert np.isfinite(xy).all() and np.isfinite(pca(vectors)).all()


def test_groups_share_one_map():
    vectors, labels = clouds(6, 20)
    groups = labels % 2
    table = build_neighbours(vectors, 15, groups=groups)
    xy = project(vectors, table, seed=0)
    within = trust(xy, table, groups=groups)
    assert np.isfinite(xy).all() and within.mean() > 0.5
    part = np.flatnonzero(groups == 0)
    np.testing.assert_array_equal(within[part], trust(xy[part], table.part(part)))


def test_pca_is_the_singular_value_decomposition():
    vectors, _ = clouds(5, 12)
    xy = pca(vectors)
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * sizes[:2]
    expected /= np.abs(expected).max()
    np.testing.assert_allclose(np.abs(xy), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(pca(vectors[::-1])[::-1], xy, atol=1e-4)  # the order of samples turns nothing
    assert (pca(vectors[:, :1])[:, 1] == 0).all()


def test_pca_follows_a_previous_map():
    vectors, _ = clouds(5, 12)
    reference = turned(pca(vectors), 75) * [1, -1]
    np.testing.assert_allclose(pca(vectors, previous=reference), reference, atol=1e-5)


@pytest.mark.parametrize("mirror", [1, -1])
def test_align_undoes_a_turn_a_mirror_and_a_shift_but_keeps_the_size(mirror):
    xy = np.random.default_rng(0).standard_normal((30, 2))
    moved = turned(xy, 200) * [mirror, 1] + [3, -2]
    np.testing.assert_allclose(align_map(moved, xy), xy, atol=1e-5)
    np.testing.assert_allclose(align_map(2 * moved, xy) - xy.mean(axis=0), 2 * (xy - xy.mean(axis=0)), atol=1e-5)


def test_trust_by_hand():
    vectors = np.eye(5, dtype=np.float32)[[0, 0, 0, 1, 1]] + 0.1 * np.eye(5, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = build_neighbours(vectors, 2)  # 3 and 4 have each other first, and then one of the three
    line = np.array([[0.0, 0], [1, 0], [2.1, 0], [9, 0], [10.5, 0]])
    assert trust(line, table, k=2)[:3].tolist() == [1, 1, 1]
    assert trust(line, table, k=1)[3:].tolist() == [1, 1]
    far_apart = line[[0, 3, 2, 1, 4]]  # 1 and 3 change places
    assert trust(far_apart, table, k=2)[0] == 0.5


def test_trust_is_whole_on_the_true_map_even_with_samples_at_one_place():
    angle = np.sort(np.random.default_rng(0).uniform(0, 6, 50))
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    assert (trust(circle, build_neighbours(circle, 10)) == 1).all()
    same = np.zeros((50, 2), np.float32)
    assert np.isfinite(trust(same, build_neighbours(circle, 10))).all()


@pytest.mark.parametrize("count", [40, 300])
def test_trustworthiness_equals_scikit_learn(count):
    from sklearn.manifold import trustworthiness as reference

    vectors, _ = clouds(count // 10, 10)
    for xy in (pca(vectors), np.random.default_rng(0).standard_normal((len(vectors), 2))):
        ours = trustworthiness(xy, vectors, seed=0, k=15)
        assert ours == pytest.approx(reference(vectors, xy, n_neighbors=15), abs=2e-3)


def test_trustworthiness_of_a_sample_is_near_that_of_all():
    vectors, _ = clouds(30, 20)
    xy = pca(vectors)
    whole = trustworthiness(xy, vectors, seed=0)
    assert trustworthiness(xy, vectors, seed=1, sample=200) == pytest.approx(whole, abs=0.02)


def test_refuses_what_belongs_to_another_set(mapped):
    vectors, _, table, xy = mapped
    with pytest.raises(InputError, match="neighbours of 240"):
        project(vectors[:100], table, seed=0)
    with pytest.raises(InputError, match="map to follow"):
        project(vectors, table, seed=0, previous=xy[:5])
    with pytest.raises(InputError, match="map to follow"):
        pca(vectors, previous=xy[:5])
    with pytest.raises(InputError, match="neighbours of 240"):
        trust(xy[:5], table)


def test_what_the_explorer_imports_at_its_start_is_light():
    modules = [
        "slices",
        "projection",
        *("retrieval." + name for name in ("index", "neighbours", "metrics", "search")),
        *("division." + name for name in ("clustering", "schedule", "diagnostics")),
    ]
    code = (
        f"import sys; {'; '.join(f'import bon_core.{name}' for name in modules)}; "
        "print([m for m in ('torch', 'faiss', 'umap', 'sklearn', 'scipy', 'numba') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
