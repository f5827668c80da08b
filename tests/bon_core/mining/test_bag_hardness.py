import pytest
import torch

from bon_core.mining import BagOfNegatives, codes
from bon_core.mining.bag import default_bits, default_capacity
from bon_core.mining.layout import SEED
from tests.bon_core.mining.bags import clusters, coded_bag, generator, train

pytestmark = pytest.mark.slow


def hardness(vectors, labels, anchors, negatives):
    """Mean place of the negatives between an anchor's average negative (0) and its hardest (1)."""
    likeness = vectors[anchors] @ vectors.t()
    other = labels[anchors][:, None] != labels
    average = (likeness * other).sum(1) / other.sum(1)
    hardest = likeness.masked_fill(~other, -2).max(1).values
    chosen = likeness.gather(1, negatives)
    return ((chosen - average[:, None]) / (hardest - average)[:, None]).mean().item()


def test_the_bag_is_hard_and_an_autoencoder_makes_it_harder_than_random_hyperplanes():
    """The specification: 0.61 for the centred autoencoder, 0.40 for centred hyperplanes; a random negative is 0.

    The bars leave a third of 0.61, and half of the distance between the two, to a smaller and other data set.
    """
    labels, vectors = clusters(classes=2000, families=200)
    found = {}
    for hasher in ("autoencoder", "lsh"):
        bag = BagOfNegatives(labels, dim=32, hasher=hasher, bits=9)
        for ids in torch.randperm(len(labels), generator=generator()).split(128) * 3:
            bag.update(ids, vectors[ids])
        bag.rehash(torch.arange(len(labels)), vectors)
        anchors = torch.arange(0, len(labels), 9)
        negatives, _ = bag.negatives(anchors, k=4)
        found[hasher] = hardness(vectors, labels, anchors, negatives)
    assert found["autoencoder"] > 0.4
    assert found["autoencoder"] > found["lsh"] + 0.1


def test_a_composed_batch_is_harder_than_a_random_one():
    """Mean hardness of the hardest negative that each row has inside its batch."""
    labels, vectors = clusters(classes=2000, families=200, noise=0.25)
    bag = BagOfNegatives(labels, dim=32)
    train(bag, vectors, 400)

    def inside(share):
        places = []
        for _ in range(10):
            ids = bag.compose(mate_share=share)
            likeness = (vectors[ids] @ vectors[ids].t()).masked_fill(labels[ids][:, None] == labels[ids], -2)
            places.append(hardness(vectors, labels, ids, ids[likeness.argmax(1)][:, None]))
        return sum(places) / len(places)

    assert inside(1.0) > inside(0.0) + 0.05


def test_after_warm_up_seeds_are_served_and_the_entropy_is_high():
    """The bars: 99 % of the anchors find a mate, and entropy / S is 0.8 or more."""
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    train(bag, vectors, 600)
    stats = bag.stats()
    assert stats["unserved_rate"] <= 0.01
    assert stats["entropy_share"] >= 0.8
    assert stats["staleness"] < 0.4


def test_the_feedback_trap():
    """Batches drawn bucket by bucket over-represent the few samples away from the dense core. Statistics over whole
    batches follow them, the core falls into ever fewer buckets, and is drawn ever less. Seeds alone do not."""
    draws = generator()
    outlier = torch.randperm(6000, generator=draws) < 120
    core = torch.eye(32)[0] + 0.15 * torch.randn(6000, 32, generator=draws) / 32**0.5
    away = torch.eye(32)[1] + torch.randn(6000, 32, generator=draws) / 32**0.5
    vectors = torch.nn.functional.normalize(torch.where(outlier[:, None], away, core))

    def entropy_after(whole_batch, steps=500):
        draws = generator(1)
        bag = BagOfNegatives(torch.arange(6000) // 5, dim=32, bits=9)
        bag.update(torch.arange(6000), vectors)
        for _ in range(steps):
            filled = bag.codes.unique()
            drawn = filled[torch.randint(len(filled), (8,), generator=draws)].tolist()
            buckets = [bucket for bucket in map(bag.bucket, drawn) if len(bucket)]
            mates = [bucket[torch.randint(len(bucket), (12,), generator=draws)] for bucket in buckets]
            ids = torch.cat((torch.randint(6000, (32,), generator=draws), *mates))
            bag.update(ids, vectors[ids], seeds=torch.arange(len(ids)) < (len(ids) if whole_batch else 32))
        return codes.entropy(bag.hasher.codes(vectors).numpy(), 9)

    kept, collapsed = entropy_after(whole_batch=False), entropy_after(whole_batch=True)
    assert kept > 0.85 * 9
    assert collapsed < kept - 2


def test_mates_and_random_classes_teach_the_hasher_nothing():
    """Not by default, whatever order and company the rows come back in."""
    labels, vectors = clusters()
    late, told = BagOfNegatives(labels, dim=32), BagOfNegatives(labels, dim=32)
    for bag in (late, told):
        bag.rehash(torch.arange(len(labels)), vectors)
        ids = bag.compose()
    seeds = late.last.roles == SEED
    assert 0 < seeds.sum() <= 8 * 4
    mixed = torch.randperm(len(ids), generator=generator())
    late.update(ids[mixed], vectors[ids[mixed]])
    told.update(ids[mixed], vectors[ids[mixed]], seeds=seeds[mixed])
    assert torch.equal(late.hasher.mean, told.hasher.mean)
    torch.testing.assert_close(late.hasher.mean, vectors[ids[seeds]].mean(0))
    assert torch.equal(late.codes, told.codes)


def test_rehashing_renews_codes_but_not_the_hasher():
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    train(bag, vectors, 20)
    before = bag.hasher.state_dict()
    bag.rehash(torch.arange(len(labels)), vectors)
    assert torch.equal(bag.codes, bag.hasher.codes(vectors))
    assert all(torch.equal(tensor, before[name]) for name, tensor in bag.hasher.state_dict().items())


def test_stats_by_hand():
    """Codes 0, 0, 1, 1 and two samples not seen, in 4 buckets of 8 slots."""
    bag = coded_bag([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, -1, -1], bits=2, capacity=8)
    stats = bag.stats()
    assert all(type(value) is float for value in stats.values())
    expected = {"entropy": 1, "entropy_share": 0.5, "occupancy": 2, "empty_share": 0.5, "indexed_share": 1}
    expected |= {"bits": 2, "capacity": 8, "staleness": 0, "fallback_rate": 0, "refused_rows": 0}
    assert {name: stats[name] for name in expected} == expected
    assert bag.codes.tolist() == [0, 0, 1, 1, -1, -1]
    assert bag.codes.dtype == torch.int64
    assert bag.bucket(1).tolist() == [2, 3]


def test_staleness_is_the_share_of_known_codes_that_changed():
    bag = BagOfNegatives([0, 0, 1, 1], dim=4, bits=2)
    ids, vectors = torch.arange(4), torch.nn.functional.normalize(torch.randn(4, 4, generator=generator()))
    bag.rehash(ids, vectors)
    assert bag.stats()["staleness"] == 0  # nothing was known
    flipped = vectors.clone()
    flipped[0] *= -1
    bag.rehash(ids, flipped)
    assert bag.stats()["staleness"] == pytest.approx(0.25)


def test_default_bits_and_capacity():
    assert [default_bits(count) for count in (10, 700, 10_000, 1_000_000, 10**9)] == [4, 4, 8, 15, 20]
    bag = BagOfNegatives(torch.arange(10_000) // 10)
    assert (bag.table.bits, bag.table.capacity) == (8, 160)
    assert [default_capacity(count, 4) for count in (1, 32, 33, 100)] == [8, 8, 16, 32]


def test_at_most_64_bytes_a_sample():
    bag = BagOfNegatives(torch.arange(200_000) // 20)
    bag.compose()
    index = bag.index
    tensors = [*bag.state_dict().values(), index.label, index.members, index.position, index.start, index.size]
    assert sum(tensor.numel() * tensor.element_size() for tensor in tensors) / 200_000 <= 64


def collapsed(bag, rows, *, epochs):
    """Show a bag all samples `epochs` times as nearly the same, with one of 50 elsewhere."""
    draws = torch.Generator().manual_seed(0)
    vectors = torch.ones(rows, bag.dim)
    vectors[::50] = torch.randn(len(vectors[::50]), bag.dim, generator=draws)
    for _ in range(epochs):
        for ids in torch.arange(rows).split(100):
            bag.update(ids, vectors[ids])


def test_a_loop_whose_buckets_collapse_is_warned_once():
    bag = BagOfNegatives(torch.arange(2000) // 4, dim=16)
    with pytest.warns(UserWarning, match="let the share of mates grow slowly") as told:
        collapsed(bag, 2000, epochs=3)
    assert len(told) == 1 and "\n" not in str(told[0].message)
    assert told[0].filename == __file__  # it points at the loop


def test_a_healthy_loop_and_one_that_looks_itself_are_not_warned(recwarn):
    labels, vectors = clusters()
    train(BagOfNegatives(labels, dim=32), vectors, 100)
    collapsed(BagOfNegatives(torch.arange(2000) // 4, dim=16, warn=False), 2000, epochs=2)
    assert not recwarn.list


def test_classes_that_never_came_are_counted():
    """A long tail: 20 classes of 50 samples, 30 of two, and two single ones."""
    labels = torch.cat((torch.arange(20).repeat_interleave(50), torch.arange(20, 50).repeat(2), torch.tensor([50, 51])))
    bag = BagOfNegatives(labels, dim=4)
    assert bag.stats()["unseen_classes"] == 50
    bag.update(torch.tensor([0, 1, 60, 1000, 1060]), torch.randn(5, 4))  # classes 0, 0, 1, 20 and a single one
    assert bag.stats()["unseen_classes"] == 47 and bag.stats()["singleton_classes"] == 2
