"""From ids to positions, against a dict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bon_core.base.ids import rows_of

IDS = st.lists(st.integers(-(2**62), 2**62) | st.integers(-5, 5), unique=True, max_size=30)


@given(IDS, st.lists(st.integers(-(2**62), 2**62) | st.integers(-6, 6), max_size=30))
def test_each_is_where_a_dict_has_it(ids, strangers):
    where = {identity: place for place, identity in enumerate(ids)}
    wanted = [*strangers, *ids[::-1], *ids]
    found = rows_of(np.array(ids, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == [where.get(identity, -1) for identity in wanted]
    assert found.dtype == np.int64


@pytest.mark.parametrize("ids", [[], [7]])
def test_any_shape_keeps_its_shape(ids):
    found = rows_of(np.array(ids, np.int64), np.array([[7, 8], [9, 7]]))
    assert found.tolist() == ([[0, -1], [-1, 0]] if ids else [[-1, -1], [-1, -1]])
