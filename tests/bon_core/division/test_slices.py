"""Slices: they cover the embedding, in order, as evenly as they can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.division.slices import slices


@given(dim=st.integers(1, 200), learners=st.integers(1, 40))
def test_slices_cover_the_embedding_in_order_and_differ_by_one_at_most(dim, learners):
    if learners > dim:
        with pytest.raises(InputError, match=f"{learners} learners cannot share {dim} dimensions"):
            slices(dim, learners)
        return
    parts = slices(dim, learners)
    assert [column for part in parts for column in range(dim)[part]] == list(range(dim))
    sizes = [part.stop - part.start for part in parts]
    assert len(sizes) == learners and sizes == sorted(sizes, reverse=True) and sizes[0] - sizes[-1] <= 1
