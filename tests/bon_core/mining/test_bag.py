import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.mining import BagOfNegatives
from bon_core.mining.layout import FILL, MATE, SEED
from tests.bon_core.mining.bags import clusters, coded_bag
from tests.reference import SlowBucketTable, slow_negatives


def test_mates_come_out_of_their_seeds_bucket():
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    bag.update(torch.arange(len(labels)), vectors)
    for _ in range(10):
        rows = bag.compose(16, 4, 4).view(16, 4)
        last = bag.last
        assert torch.equal(labels[rows], labels[rows[:, :1]].expand(16, 4))
        assert len(labels[rows[:, 0]].unique()) == 16
        roles, groups, buckets = (values.view(16, 4) for values in (last.roles, last.groups, last.buckets))
        for values in (roles, groups, buckets):
            assert torch.equal(values, values[:, :1].expand(16, 4))  # one a class
        anchors, roles, groups, buckets = rows[:, 0], roles[:, 0], groups[:, 0], buckets[:, 0]
        led = roles != FILL
        assert torch.equal(buckets[led], bag.codes[anchors[led]])
        assert (buckets[~led] == -1).all()
        for group in range(4):
            codes_of_group = buckets[groups == group]
            assert (codes_of_group == codes_of_group[:1]).all()
        assert all(
            int(anchor) in bag.bucket(int(code)) for anchor, code in zip(anchors[led], buckets[led], strict=True)
        )


def test_a_seed_gets_all_the_mates_it_wants_where_its_bucket_has_them():
    """16 classes in two buckets of 8 classes each: a seed and its 7 mates are one bucket."""
    labels = [label for label in range(16) for _ in range(3)]
    bag = coded_bag(labels, [label % 2 for label in labels], bits=1, capacity=24)
    for _ in range(20):
        rows = bag.compose(8, 2, 1).view(8, 2)
        assert bag.last.roles[::2].tolist() == [SEED] + 7 * [MATE]
        assert len({labels[row[0]] % 2 for row in rows.tolist()}) == 1
    assert bag.stats()["fallback_rate"] == 0


def test_a_seed_without_a_code_is_stood_in_for_by_a_classmate():
    """16 classes in two buckets, but of each class only the last image was seen: most seeds have no code."""
    labels = [label for label in range(16) for _ in range(4)]
    bag = coded_bag(labels, [label % 2 if place % 4 == 3 else -1 for place, label in enumerate(labels)], bits=1)
    unseen = 0
    for _ in range(40):
        rows = bag.compose(8, 2, 1).view(8, 2)
        unseen += int(rows[0, 0] % 4 != 3)
        assert bag.last.roles[::2].tolist() == [SEED] + 7 * [MATE]
        assert len({labels[row[0]] % 2 for row in rows.tolist()}) == 1
        assert (rows[1:, 0] % 4 == 3).all()  # mates have codes
    assert 20 <= unseen < 40  # three in four: seeds stay uniform over all samples


def test_what_is_borrowed_is_the_latest_code_of_the_class():
    """Classes of 50 images, one of which was seen, then another one elsewhere: all others ask where the latter is."""
    labels = torch.arange(8).repeat_interleave(50)
    bag = coded_bag(labels.tolist(), [0 if place % 50 == 0 else -1 for place in range(400)], bits=2)
    moved = torch.arange(1, 400, 50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bag.hasher, "codes", lambda vectors: torch.full((8,), 3))
        bag.rehash(moved, torch.ones(8, 4))
    mates = []
    for _ in range(30):
        rows = bag.compose(4, 2, 1).view(4, 2)
        if rows[0, 0] % 50 > 1:
            mates += rows[1:, 0].tolist()
    assert len(mates) > 60
    assert {mate % 50 for mate in mates} == {1}


def test_seeds_of_one_class_bring_one_class_and_the_batch_stays_full():
    labels = [0] * 20 + [1, 1, 2, 2, 3, 3, 4, 4]
    bag = coded_bag(labels, [0] * 28, bits=1, capacity=28)
    for _ in range(20):
        anchors = bag.compose(4, 2, 3)[::2].tolist()
        assert len({labels[anchor] for anchor in anchors}) == 4


@pytest.mark.parametrize(
    ("given_codes", "case"),
    [
        ([-1] * 12, "nothing seen"),
        ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "one class a bucket"),
    ],
)
def test_without_mates_the_batch_is_random_and_that_is_counted(given_codes, case):
    bag = coded_bag([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], given_codes, bits=3, capacity=8)
    for _ in range(5):
        assert len(bag.compose(4, 2, 2)) == 8
        assert not (bag.last.roles == MATE).any(), case
    assert bag.stats()["fallback_rate"] == pytest.approx(1)
    assert bag.stats()["unserved_rate"] == pytest.approx(1)


def test_hamming_looks_next_door_before_falling_back():
    """Each class alone in its bucket, but all buckets one bit apart from code 0's."""
    labels, given_codes = [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 1, 1, 2, 2, 4, 4]
    bag = coded_bag(labels, given_codes, bits=3, capacity=4, hamming=True)
    for _ in range(20):
        bag.compose(2, 2, 1)
        roles, buckets = bag.last.roles[::2], bag.last.buckets[::2]
        assert roles.tolist() == [SEED, MATE]
        assert 0 in buckets.tolist()


def test_the_own_bucket_comes_before_the_ones_next_door():
    labels, given_codes = [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0, 1, 1, 2, 2]
    bag = coded_bag(labels, given_codes, bits=2, capacity=8, hamming=True)
    negatives, found = bag.negatives(torch.tensor([0] * 10), k=2)
    assert set(negatives.flatten().tolist()) == {2, 3}
    assert found.all()


def test_the_share_of_mates_is_kept():
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    bag.rehash(torch.arange(len(labels)), vectors)
    for share, mates in ((0.0, 0), (0.5, 6), (1.0, 12)):
        bag.compose(16, 2, 4, mate_share=share)
        assert int((bag.last.roles[::2] == MATE).sum()) == mates


def test_one_class_only_cannot_make_a_batch_but_one_of_itself():
    bag = coded_bag([0, 0, 0], [1, 1, 1], bits=1, capacity=4)
    assert sorted(bag.compose(1, 3, 1).tolist()) == [0, 1, 2]
    with pytest.raises(InputError, match="needs 2 classes, but only 1"):
        bag.compose(2, 2, 1)
    with pytest.raises(InputError, match="leaves 0 samples"):
        bag.negatives(torch.tensor([0]), k=1)


def test_singleton_classes_are_negatives_but_never_in_a_batch():
    bag = coded_bag([0, 0, 1, 1, 2, 3], [0] * 6, bits=1, capacity=8)
    composed = torch.cat([bag.compose(2, 2, 1) for _ in range(30)])
    assert set(composed.tolist()) == {0, 1, 2, 3}
    negatives, found = bag.negatives(torch.tensor([0]), k=4)
    assert sorted(negatives[0].tolist()) == [2, 3, 4, 5]
    assert found.all()
    assert bag.stats()["singleton_classes"] == 2


@st.composite
def worlds(draw):
    """Labels with at least two classes, and batches of (id, code) pairs."""
    bits, count = draw(st.integers(1, 3)), draw(st.integers(4, 24))
    labels = [0, 0, 1, 1, *draw(st.lists(st.integers(0, 5), min_size=count - 4, max_size=count - 4))]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, 2**bits - 1))
    return bits, labels, draw(st.lists(st.lists(pairs, min_size=1, max_size=20), max_size=5))


@settings(max_examples=150)
@given(worlds(), st.integers(1, 12), st.booleans(), st.integers(1, 8))
def test_negatives_are_those_of_the_dictionary_of_buckets(world, capacity, hamming, k):
    bits, labels, batches = world
    others = len(labels) - max(labels.count(label) for label in labels)
    k = min(k, others)
    bag = BagOfNegatives(labels, dim=4, bits=bits, capacity=capacity, hamming=hamming)
    slow = SlowBucketTable(bits, capacity)
    for batch in batches:
        ids, given_codes = zip(*batch, strict=True)
        bag.table.insert(torch.tensor(ids), torch.tensor(given_codes))
        slow.insert(ids, given_codes)
    negatives, found = bag.negatives(torch.arange(len(labels)), k)
    for anchor, (row, flags) in enumerate(zip(negatives.tolist(), found.tolist(), strict=True)):
        near = slow_negatives(slow, labels, anchor, bits if hamming else 0)
        assert len(set(row)) == k
        assert all(labels[sample] != labels[anchor] for sample in row)
        from_bag = [sample for sample, flag in zip(row, flags, strict=True) if flag]
        assert set(from_bag) <= near
        assert len(from_bag) == min(k, len(near))
        assert flags == sorted(flags, reverse=True)


def test_negatives_of_a_bucket_are_drawn_uniformly():
    bag = coded_bag([0, 0, *range(1, 11)], [0] * 12, bits=1, capacity=16)
    drawn, _ = bag.negatives(torch.zeros(2000, dtype=torch.int64), k=3)
    shares = torch.bincount(drawn.flatten(), minlength=12)[2:] / drawn.numel()
    assert (shares - 0.1).abs().max() < 5 * (0.1 / drawn.numel()) ** 0.5


def test_triplets_are_an_anchor_its_positive_and_hard_negatives():
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    bag.rehash(torch.arange(len(labels)), vectors)
    anchors, positives, negatives, found = bag.triplets(64, k=2)
    assert torch.equal(labels[anchors], labels[positives])
    assert (anchors != positives).all()
    assert (labels[negatives] != labels[anchors][:, None]).all()
    assert (bag.codes[negatives] == bag.codes[anchors][:, None])[found].all()
    assert found.float().mean() > 0.9
