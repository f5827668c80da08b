"""Kinds of triplets by their distances."""

import numpy as np
import pytest

from app.analysis.triplets import kinds_of, violating_share


def test_kinds_split_at_the_positive_and_at_the_margin():
    d_ap = np.array([0.5, 0.5, 0.5, 0.5, np.nan])
    d_an = np.array([0.4, 0.5, 0.7, 0.65, 0.5])
    assert kinds_of(d_ap, d_an, 0.2).tolist() == ["hard", "semi-hard", "easy", "semi-hard", ""]


def test_violating_share_leaves_out_what_was_not_chosen():
    d_ap, d_an = np.array([0.5, 0.5, 0.5, np.nan]), np.array([0.4, 0.65, 0.8, 0.1])
    assert violating_share(d_ap, d_an, 0.2) == pytest.approx(2 / 3)
    assert violating_share(d_ap, d_an, 0.0) == pytest.approx(1 / 3)
    assert np.isnan(violating_share(np.array([np.nan]), np.array([0.1]), 0.2))
