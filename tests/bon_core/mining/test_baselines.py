import math

import pytest
import torch

from bon_core.config import InputError
from bon_core.mining.baselines import ClassNeighbours, Exact, Uniform
from bon_core.mining.layout import FILL, MATE, SEED


def on_a_circle(degrees):
    turns = torch.tensor(degrees) * math.pi / 180
    return torch.stack((turns.cos(), turns.sin()), 1)


CIRCLE = [0, 2, 10, 12, 30, 32, 90, 92, 180, 182]  # five classes of two, 2 degrees apart
LABELS = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
NEAREST = {0: 1, 1: 0, 2: 1, 3: 2, 4: 3}  # class -> class of nearest centroid


def taught(kind):
    miner = kind(LABELS, dim=2)
    miner.update(torch.arange(10), on_a_circle(CIRCLE))  # N rows: one epoch
    return miner


@pytest.mark.parametrize("kind", [ClassNeighbours, Exact])
def test_a_seed_meets_the_class_next_to_it(kind):
    miner = taught(kind)
    for _ in range(30):
        ids = miner.compose(2, 2, 1)
        seed, mate = (LABELS[row] for row in ids[::2].tolist())
        assert miner.last.roles[::2].tolist() == [SEED, MATE]
        assert mate == NEAREST[seed]
    assert miner.stats()["fallback_rate"] == 0


def test_exact_mates_are_the_nearest_samples_of_other_classes():
    miner = taught(Exact)
    for _ in range(30):
        ids = miner.compose(3, 2, 1)
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
    miner = Exact(labels, dim=8)
    miner.update(torch.arange(400), vectors)
    likeness = (vectors @ vectors.t()).masked_fill(labels[:, None] == labels, -2)
    for _ in range(10):
        seed, mate = miner.compose(2, 1, 1).tolist()
        assert likeness[seed, mate] == likeness[seed].max()


@pytest.mark.parametrize(("kind", "known"), [(ClassNeighbours, "near"), (Exact, "indexed")])
def test_what_is_known_of_the_others_changes_once_an_epoch(kind, known):
    miner = taught(kind)
    swapped = on_a_circle(CIRCLE[6:] + CIRCLE[:6])
    before = miner.state_dict()[known]
    miner.update(torch.arange(9), swapped[:9])  # one row short of an epoch
    assert torch.equal(miner.state_dict()[known], before)
    miner.update(torch.arange(9, 10), swapped[9:])
    assert not torch.equal(miner.state_dict()[known], before)


@pytest.mark.parametrize("kind", [ClassNeighbours, Exact])
def test_before_the_first_refresh_all_mates_are_random_and_counted(kind):
    miner = kind(LABELS, dim=2)
    ids = miner.compose(4, 2, 2)
    assert len(ids) == 8
    assert not (miner.last.roles == MATE).any()
    assert miner.stats()["fallback_rate"] == pytest.approx(1)


def test_a_class_that_an_epoch_missed_keeps_its_centroid_and_one_that_came_moves():
    """After a first epoch of all, class 4 alone comes, from beside class 0: it is its neighbour now, and 1 is 2's."""
    miner = taught(ClassNeighbours)
    for _ in range(5):
        miner.update(torch.tensor([8, 9]), on_a_circle([-3, -1]))
    nearest = {0: 4, 1: 0, 2: 1, 3: 2, 4: 0}
    for _ in range(30):
        seed, mate = (LABELS[row] for row in miner.compose(2, 2, 1)[::2].tolist())
        assert mate == nearest[seed]
    assert miner.stats()["unserved_rate"] == 0


def test_classes_not_seen_are_nobodys_neighbours():
    miner = ClassNeighbours(LABELS, dim=2)
    seen = torch.tensor([0, 1, 4, 5, 6, 7])  # classes 0, 2 and 3
    for _ in range(2):
        miner.update(seen, on_a_circle(CIRCLE)[seen])
    for _ in range(30):
        ids = miner.compose(2, 2, 1)
        seed, mate = (LABELS[row] for row in ids[::2].tolist())
        if seed in (1, 4):
            assert miner.last.roles.tolist() == [SEED, SEED, FILL, FILL]
        else:
            assert mate == {0: 2, 2: 0, 3: 2}[seed]


def test_a_seed_not_seen_looks_with_the_embedding_of_a_classmate():
    """Of each class only the first image was seen."""
    miner = Exact(LABELS, dim=2)
    seen = torch.arange(0, 10, 2)
    for _ in range(2):
        miner.update(seen, on_a_circle(CIRCLE)[seen])
    unseen = 0
    for _ in range(40):
        seed, mate = miner.compose(2, 2, 1)[::2].tolist()
        unseen += seed % 2
        assert mate % 2 == 0
        assert LABELS[mate] == NEAREST[LABELS[seed]]
    assert 10 < unseen < 30  # seeds stay uniform over all samples
    assert miner.stats()["unserved_rate"] == 0


def test_a_seed_whose_class_was_not_seen_meets_nobody():
    miner = Exact(LABELS, dim=2)
    for _ in range(3):
        miner.update(torch.arange(4), on_a_circle(CIRCLE)[:4])  # classes 0 and 1
    for _ in range(30):
        seed, _ = (LABELS[row] for row in miner.compose(2, 2, 1)[::2].tolist())
        assert (miner.last.roles[2] == MATE) == (seed in (0, 1))


def test_uniform_batches_are_random_classes_alone():
    miner = Uniform(LABELS, dim=2)
    miner.compose(5, 2, 2)
    assert (miner.last.roles == FILL).all()
    assert (miner.last.groups == -1).all()
    assert (miner.last.buckets == -1).all()


# --- what cannot be done changes nothing ----------------------------------------------------------------------------

KINDS = [Uniform, ClassNeighbours, Exact]


def state_of(miner):
    return {name: tensor.clone() for name, tensor in miner.state_dict().items()}


def unchanged(miner, state, last):
    return miner.last is last and all(torch.equal(tensor, state[name]) for name, tensor in miner.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((6, 2, 2), r"needs 6 classes, but only 5 have two images or more; lower the classes of a batch or add data\."),
        ((4, 2, 5), r"4 classes, 2 images and 5 groups is not possible; .*no more groups than classes\."),
        ((4, 0, 2), r"4 classes, 0 images and 2 groups is not possible; give at least one of each"),
        ((4, 2, 2, -0.5), r"share of bucket mates is -0\.5, but a share lies between 0 and 1;"),
    ],
)
def test_a_batch_that_cannot_be_composed_changes_nothing(kind, shape, sentence):
    miner = taught(kind)
    miner.compose(3, 2, 1)
    state, last = state_of(miner), miner.last
    with pytest.raises(InputError, match=sentence):
        miner.compose(*shape)
    assert unchanged(miner, state, last)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "other",
    [
        Uniform(LABELS, dim=3),
        ClassNeighbours(LABELS, dim=3),
        ClassNeighbours(LABELS[:-2], dim=2),
        Exact(LABELS, dim=3),
        Exact(LABELS[:-2], dim=2),
    ],
    ids=lambda other: f"{type(other).__name__}-{other.index.count}-{other.dim}",
)
def test_a_state_of_another_composer_is_refused(kind, other):
    miner, state = taught(kind), other.state_dict()
    if kind is Uniform and type(other) is Uniform:
        miner.load_state_dict(state)  # has no shape to differ in
        return
    miner.compose(3, 2, 1)
    before, last = state_of(miner), miner.last
    with pytest.raises(
        InputError,
        match=r"The saved miner has \w+ (of shape|missing).*, but this one (of shape|missing).*; load it into",
    ):
        miner.load_state_dict(state)
    assert unchanged(miner, before, last)
