"""Projection: structure survives, maps stay put, quality measures agree with their definitions."""

import subprocess
import sys
from threading import Thread

import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.evaluation.neighbours import build_neighbours, joined
from bon_core.maps import projection
from bon_core.maps.projection import align_map, pca, project, project_moments, some_rows, trust, trustworthiness


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


def test_edges_are_those_of_umaps_own_union(monkeypatch):
    """Of samples united in blocks that do not divide them evenly, and of all edges or the strong ones."""
    from umap.umap_ import fuzzy_simplicial_set

    monkeypatch.setattr("bon_core.base.chunks.CHUNK_ROWS", 37)
    vectors, _ = clouds(5, 23)
    table = build_neighbours(vectors, 20)
    edges = {weakest: projection._graph(table.indices[:, :9], table.distances[:, :9], weakest) for weakest in (0, 0.2)}
    own = np.arange(len(vectors))[:, None]
    indices = np.hstack([own, table.indices[:, :9]])
    distances = np.hstack([np.zeros(own.shape, np.float32), table.distances[:, :9]])
    whole, _, _ = fuzzy_simplicial_set(vectors, 10, None, "euclidean", knn_indices=indices, knn_dists=distances)
    whole = whole.toarray()
    for weakest, (heads, tails, strengths) in edges.items():
        found = np.zeros_like(whole)
        found[heads, tails] = strengths
        np.testing.assert_allclose(found, np.where(whole >= weakest, whole, 0), atol=1e-6)
        assert len(heads) == np.count_nonzero(found) and strengths.dtype == np.float32


def test_the_map_keeps_classes_together_and_stays_in_its_frame(mapped):
    vectors, labels, table, xy = mapped
    assert xy.shape == (240, 2) and xy.dtype == np.float32
    assert np.abs(xy).max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(xy.mean(axis=0), 0, atol=1e-5)
    nearest_on_map = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(nearest_on_map, np.inf)
    assert (labels[nearest_on_map.argmin(axis=1)] == labels).mean() > 0.97
    every = np.arange(240)
    assert trustworthiness(xy, vectors, every).mean() > 0.95 > trustworthiness(pca(vectors), vectors, every).mean()
    assert trust(xy, table).mean() > trust(pca(vectors), table).mean() + 0.05


def test_the_seed_decides(mapped):
    vectors, _, table, xy = mapped
    assert np.array_equal(project(vectors, table, seed=0), xy)
    assert not np.array_equal(project(vectors, table, seed=1), xy)


def test_fewer_neighbours_and_a_larger_distance_show(mapped):
    vectors, _, table, xy = mapped

    def packed(**settings) -> float:
        other = project(vectors, table, seed=0, **settings)
        gaps = np.linalg.norm(other[:, None] - other[None], axis=2) + 9 * np.eye(len(other))
        return float(np.median(gaps.min(axis=1)))

    assert packed(min_dist=0.0) < 0.7 * packed(min_dist=0.5)
    assert not np.allclose(project(vectors, table, seed=0, neighbours=5), xy, atol=0.1)


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
    project(vectors, table, seed=0, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (300, 300) and [done for done, _ in seen] == sorted(done for done, _ in seen) and len(seen) > 5

    def cancel(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        project(vectors, table, seed=0, progress=cancel)
    later = Thread(target=project, args=(vectors, table), kwargs={"seed": 0, "progress": print}, daemon=True)
    later.start()  # in a server, the next visitor's thread
    later.join(30)
    assert not later.is_alive()


@pytest.fixture
def by_landmarks(monkeypatch):
    """Maps of more than 60 samples begin with 60 landmarks, in blocks of 64."""
    monkeypatch.setattr("bon_core.maps.projection.MIN_LANDMARKS", 60)
    monkeypatch.setattr("bon_core.base.chunks.CHUNK_ROWS", 64)


def test_many_samples_follow_landmarks_and_lie_where_they_belong(mapped, by_landmarks):
    vectors, labels, table, xy = mapped
    followed = project(vectors, table, seed=0)
    assert followed.shape == (240, 2) and np.abs(followed).max() == pytest.approx(1, abs=1e-5)
    assert trust(followed, table).mean() > trust(xy, table).mean() - 0.1  # 0.15 less without CLOSE
    away = np.linalg.norm(followed[:, None] - followed[None], axis=2) + 9 * np.eye(240)
    assert (labels[away.argmin(axis=1)] == labels).mean() > 0.97
    assert np.array_equal(project(vectors, table, seed=0), followed)
    assert not np.array_equal(project(vectors, table, seed=1), followed)
    assert len(np.unique(followed, axis=0)) == 240
    seen = []
    project(vectors, table, seed=0, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen) and seen[-1] == (100, 100) and len(seen) > 50


def test_samples_that_no_landmark_reaches_still_have_a_place(by_landmarks):
    """Sixty pairs of twins that know nobody else."""
    vectors = np.repeat(clouds(60, 1, dim=40)[0], 2, axis=0)
    xy = project(vectors, build_neighbours(vectors, 1), seed=0)
    assert xy.shape == (120, 2) and np.isfinite(xy).all()


@pytest.mark.parametrize("count", [3, 5, 15, 16, 17])
def test_tiny_sets_have_a_map(count):
    vectors, _ = clouds(count, 1)
    xy = project(vectors, build_neighbours(vectors, min(15, count - 1)), seed=0)
    assert xy.shape == (count, 2) and np.isfinite(xy).all() and np.abs(xy).max() <= 1.0001


@pytest.mark.parametrize("vectors", [np.tile([[0.6, 0.8]], (40, 1)), np.ones((40, 1))])
def test_a_collapsed_embedding_has_a_map(vectors):
    vectors = vectors.astype(np.float32)
    xy = project(vectors, build_neighbours(vectors, 15), seed=0)
    assert np.isfinite(xy).all() and np.isfinite(pca(vectors)).all()


def test_groups_share_one_map():
    vectors, labels = clouds(6, 20)
    groups = labels % 2
    parts = [np.flatnonzero(groups == name) for name in (0, 1)]
    table = joined([(part, build_neighbours(vectors[part], 15)) for part in parts])
    xy = project(vectors, table, seed=0)
    within = trust(xy, table, groups=groups)
    assert np.isfinite(xy).all() and within.mean() > 0.5
    part = parts[0]
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


@pytest.mark.parametrize(("count", "k"), [(40, 3), (40, 15), (300, 15)])
def test_trustworthiness_is_scikit_learns_before_the_mean(count, k):
    from sklearn.manifold import trustworthiness as reference

    vectors, _ = clouds(count // 10, 10)
    for xy in (pca(vectors), np.random.default_rng(0).standard_normal((count, 2))):
        each = trustworthiness(xy, vectors, np.arange(count), k=k)
        assert each.mean() == pytest.approx(reference(vectors, xy, n_neighbors=k), abs=1e-6)
        some = np.array([7, 3, 39])
        assert trustworthiness(xy, vectors, some, k=k) == pytest.approx(each[some])


def test_trustworthiness_by_hand():
    """Five on a line; on the map the last has jumped between the first two."""
    angles = np.array([0, 0.1, 0.21, 0.3, 0.4])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    xy = np.array([[0, 0], [1, 0], [2.1, 0], [3, 0], [0.4, 0]])
    each = trustworthiness(xy, vectors, np.arange(5), k=1)
    # nearest on the map, and its rank in truth: 0 -> 4 (4th), 1 -> 4 (4th), 2 -> 3 (1st), 3 -> 2 (1st), 4 -> 0 (4th)
    assert each == pytest.approx(1 - 2 * np.array([3, 3, 0, 0, 3]) / (1 * (2 * 5 - 3 - 1)))


def test_trustworthiness_is_measured_in_blocks_that_report(monkeypatch):
    vectors, _ = clouds(30, 20)
    xy = pca(vectors)
    whole = trustworthiness(xy, vectors, np.arange(600))
    monkeypatch.setattr("bon_core.maps.projection.RANKED", 600 * 7)
    seen = []
    parts = trustworthiness(xy, vectors, np.arange(600), progress=lambda done, of: seen.append((done, of)))
    np.testing.assert_array_equal(parts, whole)
    assert seen[0] == (7, 600) and seen[-1] == (600, 600)
    some = some_rows(600, seed=1, most=200)
    assert len(some) == 200 and trustworthiness(xy, vectors, some).mean() == pytest.approx(whole.mean(), abs=0.02)
    assert some_rows(100, seed=1).tolist() == list(range(100))


def test_trustworthiness_where_all_lie_at_one_place_is_a_number_and_of_three_is_refused():
    vectors, _ = clouds(6, 20)
    assert np.isfinite(trustworthiness(np.zeros((120, 2)), vectors, np.arange(120))).all()
    with pytest.raises(InputError, match="give 4 or more"):
        trustworthiness(np.zeros((3, 2)), vectors[:3], np.arange(3))


def test_refuses_what_belongs_to_another_set(mapped):
    vectors, _, table, xy = mapped
    with pytest.raises(InputError, match="neighbours of 240"):
        project(vectors[:100], table, seed=0)
    with pytest.raises(InputError, match="map to follow"):
        pca(vectors, previous=xy[:5])
    with pytest.raises(InputError, match="neighbours of 240"):
        trust(xy[:5], table)


def test_what_the_explorer_imports_at_its_start_is_light():
    modules = [
        "division.slices",
        "maps.projection",
        *("evaluation." + name for name in ("index", "neighbours", "metrics", "search")),
        *("division." + name for name in ("clustering", "schedule", "diagnostics")),
    ]
    code = (
        f"import sys; {'; '.join(f'import bon_core.{name}' for name in modules)}; "
        "print([m for m in ('torch', 'faiss', 'umap', 'sklearn', 'scipy', 'numba') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
