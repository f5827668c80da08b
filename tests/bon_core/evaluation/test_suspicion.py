"""Suspicious labels: against a slow twin, cases worked by hand, and labels of glyphs that were flipped on purpose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bon_core.datasets.image_set import TRAIN
from bon_core.evaluation.neighbours import build_neighbours
from bon_core.evaluation.suspicion import PRIOR, suspicion
from bon_core.runs import store

FLIPPED = 0.05


def twin(labels, neighbours, distances, mined):
    """Vote, suspected class, excess, met and harder of every sample, in plain loops."""
    anchors = list(zip(mined["anchor"], mined["negative"], mined["d_ap"] - mined["d_an"], strict=True))
    mean = np.mean([nearer for *_, nearer in anchors]) if anchors else 0
    found = []
    for sample, label in enumerate(labels):
        votes = {}
        for other, distance in zip(neighbours[sample], distances[sample], strict=True):
            votes[labels[other]] = votes.get(labels[other], 0) + max(1 - distance**2 / 2, 1e-9)
        others = {name: vote for name, vote in votes.items() if name != label}
        suspected = max(others, key=others.get) if others else label
        vote = (others.get(suspected, 0) - votes.get(label, 0)) / sum(votes.values())
        own = [nearer - mean for anchor, _, nearer in anchors if anchor == sample]
        against = [nearer for a, n, nearer in anchors if a == sample and labels[n] == suspected]
        against += [nearer for a, n, nearer in anchors if n == sample and labels[a] == suspected]
        excess = sum(own) / (len(own) + PRIOR)
        found.append((vote, suspected, excess, len(against), sum(nearer > 0 for nearer in against)))
    return found


@given(st.integers(0, 2**32 - 1))
def test_it_agrees_with_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 12)
    vectors = rng.standard_normal((12, 3))
    table = build_neighbours(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 5)
    anchor, negative = rng.integers(0, 12, (2, 30))
    other = labels[anchor] != labels[negative]
    mined = {"anchor": anchor[other], "negative": negative[other]}
    mined |= {name: rng.random(other.sum()) for name in ("d_ap", "d_an")}
    neighbours, distances = table.indices, table.distances.astype(np.float64)
    found = suspicion(labels, neighbours, distances, mined)
    expected = twin(labels, neighbours, distances, mined)
    for sample, (vote, suspected, excess, met, harder) in enumerate(expected):
        assert found.vote[sample] == pytest.approx(vote)
        assert found.excess[sample] == pytest.approx(excess)
        assert found.score[sample] == pytest.approx(vote + excess)
        assert found.suspected[sample] == suspected
        assert (found.met[sample], found.harder[sample]) == (met, harder)
        assert labels[found.witness[sample]] == suspected


def circle(degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)


def test_a_sample_among_another_class_is_first_and_its_class_is_named():
    vectors = circle([0, 2, 4, 6, 3, 90, 92, 94, 96])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])  # the fifth lies in the crowd of class 0
    table = build_neighbours(vectors, 3)
    found = suspicion(labels, table.indices, table.distances)
    assert found.score.argmax() == 4
    assert found.suspected[4] == 0 and found.witness[4] in (1, 2)
    assert found.vote[4] == pytest.approx(1) and found.vote[7] == pytest.approx(-1)
    assert not found.excess.any() and not found.met.any()


def test_mining_decides_between_two_that_their_neighbours_do_not_tell_apart():
    labels = np.array([0, 0, 1, 1])
    neighbours, distances = np.array([[2], [2], [0], [0]]), np.full((4, 1), 0.2)
    mined = {
        "anchor": np.array([0, 0, 1, 1]),
        "negative": np.array([2, 3, 2, 3]),
        "d_ap": np.array([0.9, 0.9, 0.2, 0.2]),  # the first stayed far from its class all through the training
        "d_an": np.array([0.3, 0.3, 0.8, 0.8]),
    }
    found = suspicion(labels, neighbours, distances, mined)
    assert found.score[0] > found.score[1]
    assert found.excess[0] == pytest.approx(2 * 0.6 / (2 + PRIOR)) and found.excess[1] == pytest.approx(
        -found.excess[0]
    )
    assert found.met.tolist() == [2, 2, 2, 2] and found.harder.tolist() == [2, 0, 1, 1]


def test_a_triplet_that_was_not_completed_counts_for_nothing():
    labels, neighbours, distances = np.array([0, 1]), np.array([[1], [0]]), np.full((2, 1), 0.5)
    mined = {"anchor": np.array([0]), "negative": np.array([1]), "d_ap": np.array([np.nan]), "d_an": np.array([0.1])}
    assert not suspicion(labels, neighbours, distances, mined).excess.any()


def test_flipped_labels_of_glyphs_are_found():
    """Five in a hundred, flipped under the bundled model: nearly all of the first fifty, far more than plain votes."""
    shot = store.open_run("glyphs-bon-dc4").snapshot()
    rows = np.flatnonzero(np.asarray(shot.split) == TRAIN)
    labels = np.asarray(shot.labels)[rows].astype(np.int64)
    rng = np.random.default_rng(1)
    wrong = np.zeros(len(rows), bool)
    wrong[rng.choice(len(rows), round(FLIPPED * len(rows)), replace=False)] = True
    classes = np.unique(labels)
    given_labels = labels.copy()
    given_labels[wrong] = rng.choice(classes, wrong.sum())
    wrong = given_labels != labels
    neighbours = np.searchsorted(rows, np.asarray(shot.neighbours)[rows])
    found = suspicion(given_labels, neighbours, np.asarray(shot.neighbour_distances)[rows])

    def precision(score):
        return wrong[np.argsort(-score, kind="stable")[:50]].mean()

    plain = precision((given_labels[neighbours] != given_labels[:, None]).mean(axis=1))
    print(
        f"precision at 50: {precision(found.score):.2f}, plain disagreement {plain:.2f}, base rate {wrong.mean():.2f}"
    )
    assert precision(found.score) >= 0.9
    assert precision(found.score) >= plain + 0.05
    assert (found.suspected[wrong] == labels[wrong]).mean() > 0.9
