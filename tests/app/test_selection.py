"""The linked selection: set algebra, undo, and the link that carries it."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.selection import LONGEST_LINK, History, Selection, decode, encode, pack

ids = st.lists(st.integers(0, 2**63 - 1), max_size=60).map(lambda values: np.array(values, np.int64))
modes = st.sampled_from(["new", "add", "intersect", "subtract"])


def same(one: np.ndarray, other) -> bool:
    return one.tolist() == sorted(other)


@given(ids, ids)
def test_modes_are_the_set_operations(first, second):
    base = Selection().with_ids(first, "new", "first")
    assert same(base.with_ids(second, "new", "x").ids, set(second.tolist()))
    assert same(base.with_ids(second, "add", "x").ids, set(first.tolist()) | set(second.tolist()))
    assert same(base.with_ids(second, "intersect", "x").ids, set(first.tolist()) & set(second.tolist()))
    assert same(base.with_ids(second, "subtract", "x").ids, set(first.tolist()) - set(second.tolist()))


@given(st.lists(st.tuples(ids, modes), max_size=8))
def test_undo_retraces_every_change(changes):
    history, states = History(), []
    for values, mode in changes:
        following = history.to(history.now.with_ids(values, mode, "change"))
        if len(following.before) > len(history.before):
            states.append(history.now.ids.tolist())
        history = following
    for expected in reversed(states):
        history = history.back()
        assert history.now.ids.tolist() == expected
    assert history.back() == history


def slowly_packed(values) -> bytes:
    """Steps between sorted ids, seven bits a byte, lowest first, the top bit set on all but the last."""
    out, before = bytearray(), 0
    for value in values:
        step, before = value - before, value
        while step >= 0x80:
            out.append(step & 0x7F | 0x80)
            step >>= 7
        out.append(step)
    return bytes(out)


@given(ids)
def test_packing_agrees_with_its_slow_twin(values):
    values = np.unique(values)
    packed = base64.urlsafe_b64decode(pack(values) + "==")
    assert zlib.decompress(packed) == slowly_packed(values.tolist())
    assert decode(pack(values)).tolist() == values.tolist()


@given(ids)
def test_a_link_that_was_cut_short_is_told_from_a_whole_one(values):
    text = pack(np.unique(values))
    for end in (len(text) // 2, len(text) - 4):
        assert decode(text[:end]) is None


@given(ids)
def test_a_link_brings_the_ids_back(values):
    text = encode(Selection().with_ids(values, "new", "any"))
    if not len(values):
        assert text is None
    else:
        assert text.replace("-", "").replace("_", "").isalnum()
        assert same(decode(text), set(values.tolist()))


def test_too_many_ids_travel_as_their_rule_or_not_at_all():
    many = np.random.default_rng(0).choice(10**9, 4000, replace=False)
    assert encode(Selection().with_ids(many, "new", "bucket 0x3f", "bucket:63")) == "bucket:63"
    assert encode(Selection().with_ids(many, "new", "by hand")) is None
    neighbours = np.arange(5000, 9000)
    assert len(encode(Selection().with_ids(neighbours, "new", "a stretch"))) < LONGEST_LINK


def test_a_rule_does_not_outlive_a_change_of_the_ids():
    bucket = Selection().with_ids(np.array([1, 2]), "new", "bucket 0x1", "bucket:1")
    assert bucket.with_ids(np.array([3]), "add", "one more").rule == ""
    assert bucket.with_ids(np.array([2]), "intersect", "less").rule == ""
    assert bucket.with_ids(np.array([2]), "subtract", "less").rule == ""


@pytest.mark.slow
@given(st.text(max_size=80))
def test_no_text_in_an_address_breaks_the_page(text):
    found = decode(text)
    assert found is None or isinstance(found, str | np.ndarray)
