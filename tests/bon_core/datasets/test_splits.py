import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.datasets.image_set import TEST, TRAIN, VALIDATION, ImageSet
from bon_core.datasets.splits import class_disjoint, hold_out


@given(st.lists(st.integers(0, 20), min_size=2, max_size=80), st.floats(0.01, 0.99), st.integers(0, 5))
def test_every_class_is_on_one_side_and_both_sides_have_one(labels, share, seed):
    labels = np.array(labels)
    if len(np.unique(labels)) < 2:
        return
    split = class_disjoint(labels, test_share=share, seed=seed)
    train, test = set(labels[split == TRAIN]), set(labels[split == TEST])
    assert train and test and not train & test
    assert abs(len(test) - share * len(train | test)) <= 1


def test_the_seed_decides():
    labels = np.arange(40)
    one, again, other = (class_disjoint(labels, test_share=0.5, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()


def test_the_share_is_of_classes_not_of_images():
    labels = np.array([0] * 97 + [1, 2, 3])
    split = class_disjoint(labels, test_share=0.25, seed=0)
    assert len(np.unique(labels[split == TEST])) == 1


def test_class_disjoint_refuses():
    with pytest.raises(InputError, match="split needs 2"):
        class_disjoint(np.zeros(4, int), test_share=0.5, seed=0)
    with pytest.raises(InputError, match="test share is 1"):
        class_disjoint(np.arange(4), test_share=1, seed=0)


def ten_classes(trained: int) -> ImageSet:
    labels = np.repeat(np.arange(10), 3)
    return ImageSet(
        name="ten",
        images=np.zeros((30, 2, 2), np.uint8),
        labels=labels,
        class_names=tuple("abcdefghij"),
        split=np.where(labels < trained, TRAIN, TEST).astype(np.uint8),
        ids=np.arange(30),
    )


def test_hold_out_takes_whole_training_classes_and_leaves_the_test_part():
    before = ten_classes(trained=8)
    after = hold_out(before, 0.25, seed=0)
    assert len(np.unique(after.labels[after.split == VALIDATION])) == 2
    assert len(np.unique(after.labels[after.split == TRAIN])) == 6
    assert ((before.split == TEST) == (after.split == TEST)).all()
    assert (before.split == np.where(before.labels < 8, TRAIN, TEST)).all()  # the given set is not changed


def test_hold_out_takes_at_least_one_class_and_never_all():
    assert len(np.unique(hold_out(ten_classes(2), 0.01, 0).part("validation").labels)) == 1
    assert len(np.unique(hold_out(ten_classes(2), 0.99, 0).part("train").labels)) == 1


def test_hold_out_refuses():
    with pytest.raises(InputError, match="1 class to train on"):
        hold_out(ten_classes(trained=1), 0.5, seed=0)
    with pytest.raises(InputError, match="hold-out is 0"):
        hold_out(ten_classes(trained=5), 0, seed=0)
