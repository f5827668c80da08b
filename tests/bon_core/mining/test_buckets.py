import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import InputError
from bon_core.mining.buckets import BucketTable
from tests.reference import SlowBucketTable


def insert(table, pairs):
    ids, codes = zip(*pairs, strict=True)
    table.insert(torch.tensor(ids), torch.tensor(codes))


def slots(table, code):
    """Contents of a bucket slot by slot, None where free."""
    return [sample if sample < table.count else None for sample in table.read(torch.tensor([code]))[0].tolist()]


def codes(table):
    return table.codes_of(torch.arange(table.count)).tolist()


def held(table, code):
    """Contents of a bucket, ascending."""
    return sorted(sample for sample in slots(table, code) if sample is not None)


@st.composite
def histories(draw):
    """A table's shape and a sequence of batches of (id, code), with repeats of both."""
    bits, capacity, count = draw(st.integers(1, 4)), draw(st.integers(1, 20)), draw(st.integers(1, 30))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, 2**bits - 1))
    return bits, capacity, count, draw(st.lists(st.lists(pairs, min_size=1, max_size=40), max_size=8))


@settings(max_examples=150)
@given(histories())
def test_it_is_the_dictionary_of_buckets(history):
    bits, capacity, count, batches = history
    table, slow = BucketTable(count, bits, capacity), SlowBucketTable(bits, capacity)
    for batch in batches:
        insert(table, batch)
        slow.insert(*zip(*batch, strict=True))
        assert [slots(table, code) for code in slow.slots] == list(slow.slots.values())
        assert codes(table) == [slow.codes.get(sample, -1) for sample in range(count)]
    inside = {sample for code in slow.slots for sample in slow.bucket(code)}
    assert table.holds(torch.arange(count)).tolist() == [sample in inside for sample in range(count)]


def test_an_id_that_repeats_in_a_batch_stays_once_where_its_code_is_highest():
    table = BucketTable(5, 1, 4)
    insert(table, [(3, 1), (2, 0), (3, 0), (3, 1)])
    assert held(table, 0) == [2]
    assert held(table, 1) == [3]
    assert codes(table) == [-1, -1, 0, 1, -1]


def test_a_full_ring_overwrites_the_oldest_first():
    table = BucketTable(10, 1, 3)
    insert(table, [(0, 0), (1, 0)])
    insert(table, [(2, 0)])
    insert(table, [(7, 0), (8, 0)])  # wraps: 0 and 1 go
    assert slots(table, 0) == [7, 8, 2]
    assert table.holds(torch.tensor([0, 1, 2, 7, 8])).tolist() == [False, False, True, True, True]
    insert(table, [(9, 0)])
    assert slots(table, 0) == [7, 8, 9]


def test_a_full_bucket_of_several_blocks_overwrites_the_oldest_first():
    table = BucketTable(100, 1, 24)
    for sample in range(60):
        insert(table, [(sample, 0)])
        assert held(table, 0) == list(range(max(0, sample - 23), sample + 1))


def test_a_free_slot_of_the_block_is_taken_before_a_live_one_is_overwritten():
    table = BucketTable(100, 1, 8)
    insert(table, [(sample, 0) for sample in range(8)])
    insert(table, [(5, 1)])
    insert(table, [(20, 0)])
    assert slots(table, 0) == [0, 1, 2, 3, 4, 20, 6, 7]
    insert(table, [(21, 0)])  # the second lap, its second entry
    assert slots(table, 0) == [0, 21, 2, 3, 4, 20, 6, 7]


def test_newcomers_of_one_batch_never_displace_each_other():
    """More of them than blocks: 20 to a bucket of 3 blocks of 8."""
    table = BucketTable(100, 1, 24)
    insert(table, [(sample, 0) for sample in range(30)])
    insert(table, [(sample, 0) for sample in range(50, 70)])
    assert set(range(50, 70)) <= set(held(table, 0))
    assert len(held(table, 0)) == 24


def test_moving_frees_the_slot_and_overwriting_someone_who_moved_harms_nobody():
    table = BucketTable(10, 1, 2)
    insert(table, [(0, 0), (1, 0)])
    insert(table, [(0, 1)])
    insert(table, [(5, 0)])
    assert slots(table, 0) == [5, 1]
    assert slots(table, 1) == [0, None]


def test_a_sample_inserted_again_is_there_once():
    table = BucketTable(10, 2, 8)
    for _ in range(20):
        insert(table, [(2, 2), (0, 2), (1, 2)])
        assert held(table, 2) == [0, 1, 2]


def test_all_codes_equal_keeps_as_many_as_fit():
    table = BucketTable(100, 3, 8)
    table.insert(torch.arange(100), torch.full((100,), 5))
    assert slots(table, 5) == list(range(8))
    assert table.holds(torch.arange(100)).sum() == 8
    assert codes(table) == [5] * 100


def test_four_times_the_mean_occupancy_indexes_practically_all():
    """The specification: at least 99.9 % at C = 4 N / 2^S, here after 20 rounds of 30 % changing bucket."""
    generator = torch.Generator().manual_seed(0)
    count, bits = 4096, 7
    table = BucketTable(count, bits, 4 * count // 2**bits)
    codes = torch.randint(2**bits, (count,), generator=generator)
    for _ in range(20):
        for ids in torch.randperm(count, generator=generator).split(128):
            table.insert(ids, codes[ids])
        moved = torch.rand(count, generator=generator) < 0.3
        codes[moved] = torch.randint(2**bits, (int(moved.sum()),), generator=generator)
    assert table.holds(torch.arange(count)).float().mean() >= 0.999


def test_rows_of_nobody_and_nowhere_change_nothing_else():
    """How a CUDA device leaves rows out: more of them than slots, among others."""
    one, other = BucketTable(10, 2, 3), BucketTable(10, 2, 3)
    for step in range(4):
        insert(one, [(10, 4), (step, 1), (10, 4), (10, 4), (step + 3, 2), (10, 4)])
        insert(other, [(step, 1), (step + 3, 2)])
        assert [slots(one, code) for code in (0, 1, 2, 3, -1)] == [slots(other, code) for code in (0, 1, 2, 3, -1)]
        assert codes(one) == codes(other)
        assert one.codes_of(torch.tensor([10])).tolist() == [-1]


def test_a_negative_code_reads_as_an_empty_bucket():
    table = BucketTable(4, 1, 1)
    insert(table, [(0, 0), (1, 1)])
    assert table.read(torch.tensor([-1])).tolist() == [[4]]


@pytest.mark.parametrize(
    ("bits", "capacity", "part"),
    [(0, 4, "0 bits"), (31, 4, "31 bits"), (30, 4, "2\\^bits"), (4, 0, "capacity is 0"), (20, 5000, "lower bits")],
)
def test_impossible_tables_are_refused(bits, capacity, part):
    with pytest.raises(InputError, match=part):
        BucketTable(10, bits, capacity)
