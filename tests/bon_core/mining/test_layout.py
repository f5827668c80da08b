import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.mining.layout import (
    FILL,
    MATE,
    SEED,
    BatchShape,
    ClassIndex,
    choose_mates,
    draw_images,
    draw_seeds,
    lay_out,
    spaced,
)

NOBODY = torch.empty(0, dtype=torch.int64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_lowest_entry_of_each_class_is_marked_unless_it_is_taken():
    index = ClassIndex(torch.tensor([0, 0, 1, 1, 2, 2, 3]))  # 3 is a singleton, 4 is nobody's class
    classes = torch.tensor([2, 0, 2, 4, 0, 1, 3])
    order = torch.tensor([0.5, 0.3, 0.1, 0.0, 0.2, 0.9, 0.4])
    free = [False, False, True, False, True, True, False]
    assert index.first(classes, order).tolist() == free
    taken = torch.tensor([0, 4])
    assert index.first(classes, order, taken).tolist() == [False, False, True, False, False, True, False]
    assert index.first(classes, order).tolist() == free  # nothing is left over


@settings(max_examples=100)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 10), st.integers(0, 1000))
def test_spaced_numbers_are_in_range_distinct_and_balanced(below, count, seed):
    rows = spaced(torch.tensor(below)[:, None], count, generator(seed))
    for limit, row in zip(below, rows.tolist(), strict=True):
        occurrences = [row.count(number) for number in range(limit)]
        assert sum(occurrences) == count  # all in range
        assert max(occurrences) <= -(-count // limit)


def test_spaced_numbers_are_uniform():
    drawn = spaced(torch.full((6000, 1), 19), 3, generator())
    for column in drawn.t():
        shares = torch.bincount(column, minlength=19) / 6000
        assert (shares - 1 / 19).abs().max() < 5 * (1 / 19 / 6000) ** 0.5


def test_classes_of_one_image_come_last_and_gaps_in_labels_close():
    index = ClassIndex(torch.tensor([7, 3, 7, 5, 9, 5]))  # 3 and 9 are singletons
    assert (index.eligible, index.singletons, index.pool, index.largest, index.count) == (2, 2, 4, 2, 6)
    assert index.label.tolist() == [1, 2, 1, 0, 3, 0, 4]
    assert index.members.tolist() == [3, 5, 0, 2, 1, 4]
    assert index.members[index.position[:6]].tolist() == list(range(6))
    assert index.start.tolist() == [0, 2, 4, 5, 0]
    assert index.size.tolist() == [2, 2, 1, 1, 2]


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ([0, -1, 0], "smallest label is -1"),
        ([0.5, 1.0], "one integer a sample"),
        ([[0, 1]], "shape \\(1, 2\\)"),
        ([], "shape \\(0,\\)"),
        ([0, 1, 2], "No class has two images"),
    ],
)
def test_unusable_labels_are_refused(labels, part):
    with pytest.raises(InputError, match=part):
        ClassIndex(torch.tensor(labels))


def test_seeds_are_uniform_over_samples_and_never_singletons():
    index = ClassIndex(torch.tensor([0] * 6 + [1] * 2 + [2]))
    shares = torch.bincount(draw_seeds(index, 8000, generator()), minlength=9) / 8000
    assert shares[8] == 0
    assert (shares[:8] - 1 / 8).abs().max() < 5 * (1 / 8 / 8000) ** 0.5


def test_mates_are_the_first_of_other_classes_and_no_class_comes_twice():
    """Two seeds of classes 0 and 1, candidates in the order given; class 2 goes to the seed that wants it more."""
    index = ClassIndex(torch.arange(12) // 2)  # sample s has class s // 2
    seeds = torch.tensor([0, 2])
    candidates = torch.tensor([[1, 4, 5, 6], [3, 5, 8, 12]])  # 12 is nobody
    order = torch.tensor([[0.1, 0.3, 0.2, 0.4], [0.1, 0.25, 0.5, 0.05]], dtype=torch.float64)
    mates = choose_mates(index, seeds, candidates, order, 4)
    assert mates.tolist() == [5, 8, 6, 12]  # first mates of both seeds, then the second ones
    assert choose_mates(index, seeds, candidates, order, 1).tolist() == [5]
    assert choose_mates(index, seeds, candidates, order, 0).tolist() == []


@pytest.mark.parametrize("size", [2, 3, 4, 20])
def test_images_of_a_class_are_all_distinct_or_evenly_repeated(size):
    index = ClassIndex(torch.arange(5 * size) % 5)
    anchors = torch.tensor([0, 1, 7, 8, 4]) % (5 * size)
    for seed in range(20):
        drawn = draw_images(index, anchors, 4, generator(seed))
        assert torch.equal(drawn[:, 0], anchors)
        assert torch.equal(drawn % 5, (anchors % 5)[:, None].expand(5, 4))
        assert all(len(set(row)) == min(size, 4) for row in drawn.tolist())


@settings(max_examples=100)
@given(st.data())
def test_a_batch_keeps_its_promises(data):
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=12).filter(lambda all: max(all) > 1))
    labels = torch.tensor([label for label, size in enumerate(sizes) for _ in range(size)])
    index = ClassIndex(labels[torch.randperm(len(labels), generator=generator())])
    labels = index.label[:-1]
    classes = data.draw(st.integers(1, index.eligible))
    shape = BatchShape.of(classes, data.draw(st.integers(1, 5)), data.draw(st.integers(1, classes)), 1.0)
    draws = generator(data.draw(st.integers(0, 99)))
    seeds = draw_seeds(index, shape.groups, draws)
    mates = torch.randint(index.count + 1, (shape.mates,), generator=draws)  # repeats, singletons, nobody: all may come
    batch = lay_out(index, seeds, mates, shape, draws)

    rows = batch.ids.view(classes, shape.images)
    found = labels[rows]
    assert (found == found[:, :1]).all()
    assert len(found[:, 0].unique()) == classes
    assert (index.size[found] > 1).all()
    for row, size in zip(rows.tolist(), index.size[found[:, 0]].tolist(), strict=True):
        assert len(set(row)) == min(shape.images, size)
    roles, groups = batch.roles.view_as(rows)[:, 0], batch.groups.view_as(rows)[:, 0]
    for anchor, role, group in zip(rows[:, 0].tolist(), roles.tolist(), groups.tolist(), strict=True):
        if role == SEED:
            assert anchor == seeds[group]
        elif role == MATE:
            assert anchor in mates[group :: shape.groups]
        else:
            assert (role, group) == (FILL, -1)
    assert {int(label) for label in index.label[seeds]} <= set(found[:, 0].tolist())  # seeds come before all others


@pytest.mark.parametrize("classes", [90, 1000])  # drawn as a permutation, and one by one
def test_random_classes_and_their_images_are_uniform(classes):
    index = ClassIndex(torch.arange(2 * classes) % classes)
    shape, draws = BatchShape.of(16, 1, 1, 0.0), generator()
    drawn = torch.cat([lay_out(index, NOBODY, NOBODY, shape, draws).ids for _ in range(600)])
    shares = torch.bincount(drawn, minlength=2 * classes) / len(drawn)
    expected = 1 / (2 * classes)
    assert (shares - expected).abs().max() < 5.5 * (expected / len(drawn)) ** 0.5


def test_too_few_classes_are_refused():
    index = ClassIndex(torch.tensor([0, 0, 1, 1, 2]))
    with pytest.raises(InputError, match="needs 3 classes, but only 2 have two images"):
        index.shape(3, 2, 1, 1.0)


@pytest.mark.parametrize(
    ("shape", "part"),
    [
        ((0, 4, 1, 1.0), "0 classes"),
        ((4, 0, 1, 1.0), "0 images"),
        ((4, 4, 5, 1.0), "5 groups"),
        ((4, 4, 1, 1.5), "1.5"),
    ],
)
def test_impossible_shapes_are_refused(shape, part):
    with pytest.raises(InputError, match=part):
        BatchShape.of(*shape)


def test_the_share_of_mates_is_of_the_places_that_seeds_leave():
    assert [BatchShape.of(32, 4, 8, share).mates for share in (0.0, 0.5, 1.0)] == [0, 12, 24]
