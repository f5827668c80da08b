import numpy as np

from bon_core.evaluation.negatives import hardness_of, nearest_mates, nearest_positives


def test_four_points_on_a_circle():
    """Class 0 at 0 and 10 degrees, class 1 at 60, class 2 at 90."""
    angles = np.deg2rad([0, 10, 60, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.array([0, 0, 1, 2])
    hard = hardness_of(vectors, labels, np.array([[2, 3], [3, 2], [3, 1], [2, 0]]))
    assert hard.ranks.tolist() == [[1, 2], [2, 1], [1, 2], [1, 3]]
    chord = 2 * np.sin(np.deg2rad([60, 50, 30, 30]) / 2)
    assert np.allclose(hard.hardest_distance, chord, atol=1e-6)
    assert np.allclose(hard.distances[:, 0], 2 * np.sin(np.deg2rad([60, 80, 30, 30]) / 2), atol=1e-6)


def test_against_sorting_every_anchor(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(0, 5, 50)
    anchors = rng.permutation(50)[:20]
    mined = np.stack([rng.choice(np.flatnonzero(labels != labels[anchor]), 3) for anchor in anchors])
    monkeypatch.setattr("bon_core.evaluation.negatives.COMPARED", 7 * 50)
    hard = hardness_of(vectors, labels, mined, anchors=anchors)
    for row, anchor in enumerate(anchors):
        others = np.flatnonzero(labels != labels[anchor])
        order = others[np.argsort(np.linalg.norm(vectors[others] - vectors[anchor], axis=1))]
        assert [1 + order.tolist().index(negative) for negative in mined[row]] == hard.ranks[row].tolist()


def test_mates_are_the_nearest_of_the_bucket_and_positives_the_nearest_of_the_class(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((70, 6)).astype(np.float32)
    labels, codes = rng.integers(0, 6, 70), rng.integers(0, 4, 70)
    labels[0] = 99  # alone
    monkeypatch.setattr("bon_core.evaluation.negatives.COMPARED", 40)
    picked = nearest_mates(vectors, labels, codes, 5, seed=0)
    positive, distance = nearest_positives(vectors, labels)
    assert positive[0] == -1 and np.isnan(distance[0])
    for row in range(70):
        away = np.linalg.norm(vectors.astype(np.float64) - vectors[row], axis=1)
        mates = np.flatnonzero((codes == codes[row]) & (labels != labels[row]))
        expected = mates[np.argsort(away[mates])][:5].tolist()
        assert picked[row].tolist() == expected + [-1] * (5 - len(expected))
        kin = np.flatnonzero((labels == labels[row]) & (np.arange(70) != row))
        if len(kin):
            assert positive[row] == kin[away[kin].argmin()] and np.isclose(distance[row], away[kin].min(), atol=1e-6)


def test_of_a_large_bucket_some_are_drawn_by_the_seed(monkeypatch):
    rng = np.random.default_rng(1)
    vectors, labels = rng.standard_normal((200, 3)).astype(np.float32), np.arange(200) % 5
    monkeypatch.setattr("bon_core.evaluation.negatives.MAX_MATES", 20)
    one, again, other = (nearest_mates(vectors, labels, np.zeros(200, int), 2, seed=seed) for seed in (0, 0, 1))
    assert (one == again).all() and (one != other).any() and len(np.unique(one)) <= 20
