import math

import pytest
import torch

from bon_core.mining.baselines import ClassNeighbours, Exact, Uniform
from bon_core.mining.composition import FILL, MATE, SEED


def on_a_circle(degrees):
    turns = torch.tensor(degrees) * math.pi / 180
    return torch.stack((turns.cos(), turns.sin()), 1)


CIRCLE = [0, 2, 10, 12, 30, 32, 90, 92, 180, 182]  # five classes of two, 2 degrees apart
LABELS = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
NEAREST = {0: 1, 1: 0, 2: 1, 3: 2, 4: 3}  # class -> class of nearest centroid


def taught(kind):
    composer = kind(LABELS, dim=2)
    composer.update(torch.arange(10), on_a_circle(CIRCLE))  # N rows: one epoch
    return composer


@pytest.mark.parametrize("kind", [ClassNeighbours, Exact])
def test_a_seed_meets_the_class_next_to_it(kind):
    composer = taught(kind)
    for _ in range(30):
        ids = composer.compose(2, 2, 1)
        seed, mate = (LABELS[row] for row in ids[::2].tolist())
        assert composer.last.roles[::2].tolist() == [SEED, MATE]
        assert mate == NEAREST[seed]
    assert composer.stats()["fallback_rate"] == 0


def test_exact_mates_are_the_nearest_samples_of_other_classes():
    composer = taught(Exact)
    for _ in range(30):
        ids = composer.compose(3, 2, 1)
        seed, first, second = ids[::2].tolist()
        distance = {row: abs(CIRCLE[row] - CIRCLE[seed]) for row in range(10)}
        others = sorted((row for row in range(10) if LABELS[row] != LABELS[seed]), key=distance.get)
        expected_first = distance[others[0]]
        expected_second = min(distance[row] for row in others if LABELS[row] != LABELS[first])
        assert sorted((distance[first], distance[second])) == sorted((expected_first, expected_second))


def test_exact_agrees_with_brute_force():
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(400) // 4
    vectors = torch.nn.functional.normalize(torch.randn(400, 8, generator=draws))
    composer = Exact(labels, dim=8)
    composer.update(torch.arange(400), vectors)
    likeness = (vectors @ vectors.t()).masked_fill(labels[:, None] == labels, -2)
    for _ in range(10):
        seed, mate = composer.compose(2, 1, 1).tolist()
        assert likeness[seed, mate] == likeness[seed].max()


@pytest.mark.parametrize(("kind", "known"), [(ClassNeighbours, "near"), (Exact, "indexed")])
def test_what_is_known_of_the_others_changes_once_an_epoch(kind, known):
    composer = taught(kind)
    swapped = on_a_circle(CIRCLE[6:] + CIRCLE[:6])
    before = composer.state_dict()[known]
    composer.update(torch.arange(9), swapped[:9])  # one row short of an epoch
    assert torch.equal(composer.state_dict()[known], before)
    composer.update(torch.arange(9, 10), swapped[9:])
    assert not torch.equal(composer.state_dict()[known], before)


@pytest.mark.parametrize("kind", [ClassNeighbours, Exact])
def test_before_the_first_refresh_all_mates_are_random_and_counted(kind):
    composer = kind(LABELS, dim=2)
    ids = composer.compose(4, 2, 2)
    assert len(ids) == 8
    assert not (composer.last.roles == MATE).any()
    assert composer.stats()["fallback_rate"] == pytest.approx(1)


def test_classes_not_seen_are_nobodys_neighbours():
    composer = ClassNeighbours(LABELS, dim=2)
    seen = torch.tensor([0, 1, 4, 5, 6, 7])  # classes 0, 2 and 3
    for _ in range(2):
        composer.update(seen, on_a_circle(CIRCLE)[seen])
    for _ in range(30):
        ids = composer.compose(2, 2, 1)
        seed, mate = (LABELS[row] for row in ids[::2].tolist())
        if seed in (1, 4):
            assert composer.last.roles.tolist() == [SEED, SEED, FILL, FILL]
        else:
            assert mate == {0: 2, 2: 0, 3: 2}[seed]


def test_uniform_batches_are_random_classes_alone():
    composer = Uniform(LABELS, dim=2)
    composer.compose(5, 2, 2)
    assert (composer.last.roles == FILL).all()
    assert (composer.last.groups == -1).all()
    assert (composer.last.buckets == -1).all()
