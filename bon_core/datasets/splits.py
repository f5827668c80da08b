"""Splits by class: whoever is tested on a class has never trained on it. Legend: N samples, P classes."""

import dataclasses
from typing import TypeVar

import numpy as np

from bon_core.base.intake import counted
from bon_core.config import check
from bon_core.datasets.labelled import TEST, TRAIN, VALIDATION, LabelledSet

AnySet = TypeVar("AnySet", bound=LabelledSet)

TEST_SHARE, SPLIT_SEED = 0.5, 0  # of the classes, where the data names no parts


def class_disjoint(labels: np.ndarray, *, test_share: float = TEST_SHARE, seed: int) -> np.ndarray:
    """Draw whole classes for the test part.

    Parameters
    ----------
    labels : (N,) int
    test_share : share of the classes that is tested; at least one class goes to either part
    seed : the same seed draws the same classes

    Returns
    -------
    (N,) uint8 of TRAIN and TEST

    Raises
    ------
    InputError
        If the share is not within 0 and 1, or there are fewer than two classes.
    """
    check(0 < test_share < 1, f"The test share is {test_share}, but must lie between 0 and 1; try 0.5.")
    classes = np.unique(labels)
    check(len(classes) >= 2, f"There is {len(classes)} class, but a split needs 2 or more; add classes.")
    chosen = _draw(classes, test_share, seed)
    return np.where(np.isin(labels, chosen), TEST, TRAIN).astype(np.uint8)


def hold_out(whole: AnySet, share: float, seed: int) -> AnySet:
    """Turn a share of the training classes into validation classes, to tune settings on; the test part is untouched.

    Raises
    ------
    InputError
        If the share is not within 0 and 1, or there are fewer than two training classes.
    """
    check(0 < share < 1, f"The hold-out is {share}, but must lie between 0 and 1; try 0.2.")
    classes = np.unique(whole.labels[whole.split == TRAIN])
    check(
        len(classes) >= 2,
        f"The data set {whole.name} has {counted(len(classes), 'classes')} to train on, but holding some out needs 2 or"
        " more; set the hold-out to 0.",
    )
    chosen = _draw(classes, share, seed)
    split = np.where(np.isin(whole.labels, chosen), VALIDATION, whole.split).astype(np.uint8)
    return dataclasses.replace(whole, split=split)


def _draw(classes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A share of the P classes, but at least one and not all; rounded so that two are left to train on, if possible."""
    count = round(share * len(classes))
    count = count if len(classes) - count > 1 else int(share * len(classes))
    count = min(max(count, 1), len(classes) - 1)
    return np.random.default_rng(seed).permutation(classes)[:count]
