"""What holds for every miner, whatever it is called."""

from typing import get_args

import pytest
import torch

from bon_core.config import InputError, Miner, MiningConfig
from bon_core.mining import BagOfNegatives, make_batch_miner
from bon_core.mining.hashing import OnlineHasher, RandomHyperplanes

MINERS = get_args(Miner)
LABELS = torch.arange(300) % 50
VECTORS = torch.nn.functional.normalize(torch.randn(300, 8, generator=torch.Generator().manual_seed(0)))


def made(miner, seed=0):
    return make_batch_miner(MiningConfig(miner=miner), LABELS, dim=8, device="cpu", seed=seed)


def go_on(miner, steps):
    batches = []
    for _ in range(steps):
        batches.append(miner.compose(12, 3, 4))
        miner.update(batches[-1], VECTORS[batches[-1]])
    return torch.stack(batches)


@pytest.mark.parametrize("miner", MINERS)
def test_batches_have_exactly_the_classes_and_images_asked_for(miner):
    for ids in go_on(made(miner), 30):
        rows = LABELS[ids].view(12, 3)
        assert (rows == rows[:, :1]).all()
        assert len(rows[:, 0].unique()) == 12
        assert len(ids.unique()) == 36
        assert ids.dtype == torch.int64


@pytest.mark.parametrize("miner", MINERS)
def test_the_same_seed_gives_the_same_batches_and_another_seed_others(miner):
    batches = go_on(made(miner), 15)
    assert torch.equal(batches, go_on(made(miner), 15))
    assert not torch.equal(batches, go_on(made(miner, seed=1), 15))


@pytest.mark.parametrize("miner", MINERS)
def test_a_loaded_miner_goes_on_identically(miner):
    one, other = made(miner), made(miner, seed=7)
    go_on(one, 12)  # past the first refresh, on the way to the next
    other.load_state_dict(one.state_dict())
    assert torch.equal(go_on(one, 12), go_on(other, 12))
    assert one.stats() == other.stats()


@pytest.mark.parametrize("miner", MINERS)
def test_stats_are_floats(miner):
    miner = made(miner)
    go_on(miner, 3)
    assert all(type(value) is float for value in miner.stats().values())


@pytest.mark.parametrize("miner", MINERS)
def test_values_that_are_not_finite_are_refused_by_all(miner):
    miner = made(miner)
    before = miner.state_dict()
    with pytest.raises(InputError, match="NaN"):
        miner.update(torch.arange(2), torch.full((2, 8), torch.nan))
    assert all(torch.equal(tensor, before[name]) for name, tensor in miner.state_dict().items())


def test_the_settings_of_the_bag_reach_it():
    mining = MiningConfig(miner="bon", bits=5, capacity=7, hamming=True)
    bag = make_batch_miner(mining, LABELS, dim=8)
    assert isinstance(bag, BagOfNegatives)
    assert (bag.table.bits, bag.table.capacity, bag.hamming) == (5, 7, True)


def test_lsh_is_the_bag_with_another_hasher():
    assert type(made("bon").hasher) is OnlineHasher
    assert type(made("lsh").hasher) is RandomHyperplanes


@pytest.mark.parametrize("miner", MINERS)
def test_seeds_that_are_given_lead_the_batch_and_the_others_stay_as_drawn(miner):
    one, other = made(miner), made(miner)
    assert torch.equal(go_on(one, 15), go_on(other, 15))
    one.compose(12, 3, 4)
    drawn = one.last.ids.view(12, 3)[:, 0][one.last.source < one.last.seeds]
    free = (LABELS[:, None] != LABELS[drawn]).all(dim=1).nonzero()[:1, 0]
    ids = other.compose(12, 3, 4, seeds=free).view(12, 3)
    assert ids[0, 0] == free and len(LABELS[ids[:, 0]].unique()) == 12
    assert torch.equal(ids[1 : len(drawn), 0], drawn[1:])


@pytest.mark.parametrize("miner", MINERS)
def test_mates_are_those_of_the_seed_given(miner):
    batch_miner = made(miner)
    batch_miner.update(torch.arange(300), VECTORS)
    batch_miner.compose(12, 3, 4, seeds=torch.tensor([7]))
    led = batch_miner.last.groups[::3] == 0
    assert batch_miner.last.ids.view(12, 3)[led, 0][0] == 7
    if isinstance(batch_miner, BagOfNegatives):
        in_bucket = batch_miner.bucket(int(batch_miner.codes[7]))
        assert torch.isin(batch_miner.last.ids.view(12, 3)[led, 0], in_bucket).all()


@pytest.mark.parametrize("miner", MINERS)
def test_seeds_that_cannot_lead_are_refused(miner):
    batch_miner = make_batch_miner(MiningConfig(miner=miner), torch.tensor([0, 0, 1, 1, 2]), dim=8)
    with pytest.raises(InputError, match="3 seeds do not fit a batch of 2 groups"):
        batch_miner.compose(2, 2, 2, seeds=torch.tensor([0, 2, 3]))
    with pytest.raises(InputError, match="seed 4 is the only sample of its class"):
        batch_miner.compose(2, 2, 2, seeds=torch.tensor([4]))
    with pytest.raises(InputError, match="positions 0 to 4"):
        batch_miner.compose(2, 2, 2, seeds=torch.tensor([9]))


def test_a_seed_that_was_given_teaches_the_hasher_nothing():
    bag = made("bon")
    bag.update(torch.arange(300), VECTORS)
    ids = bag.compose(4, 3, 1, seeds=torch.tensor([7]))
    mean = bag.hasher.mean.clone()
    bag.update(ids, VECTORS[ids])
    assert torch.equal(bag.hasher.mean, mean)
