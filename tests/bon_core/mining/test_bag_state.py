import copy
import pickle

import pytest
import torch

from bon_core.config import InputError
from bon_core.mining import BagOfNegatives
from tests.bon_core.mining.bags import clusters, generator, train


@pytest.mark.parametrize("hasher", ["autoencoder", "lsh"])
def test_a_loaded_bag_goes_on_bit_by_bit_the_same(hasher):
    labels, vectors = clusters()
    one = BagOfNegatives(labels, dim=32, seed=1, hasher=hasher)
    train(one, vectors, 20)
    other = BagOfNegatives(labels, dim=32, seed=2, hasher=hasher)
    other.load_state_dict(one.state_dict())
    for _ in range(20):
        ids = one.compose()
        assert torch.equal(ids, other.compose())
        one.update(ids, vectors[ids])
        other.update(ids, vectors[ids])
    assert one.stats() == other.stats()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_a_saved_state_does_not_change_with_the_bag():
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    state = bag.state_dict()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    train(bag, vectors, 5)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in state.items())


def test_a_state_of_another_bag_is_refused():
    labels, _ = clusters()
    bag, other = BagOfNegatives(labels, dim=32, bits=6), BagOfNegatives(labels, dim=32, bits=7)
    with pytest.raises(InputError, match="same labels, width, bits"):
        bag.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda bag: bag.compose(5, 2, 1), "needs 5 classes, but only 4"),
        (lambda bag: bag.compose(4, 2, 5), "5 groups is not possible"),
        (lambda bag: bag.triplets(4, k=10), "10 negatives an anchor are not possible"),
        (lambda bag: bag.negatives(torch.arange(4), k=10), "leaves 9 samples"),
    ],
)
def test_what_is_refused_draws_nothing_and_changes_nothing(call, part):
    bag = BagOfNegatives([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], dim=4)
    before = bag.state_dict()
    with pytest.raises(InputError, match=part):
        call(bag)
    assert all(torch.equal(before[name], value) for name, value in bag.state_dict().items())
    assert bag.last is None


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e30])
@pytest.mark.parametrize("method", ["update", "rehash"])
def test_values_that_are_not_finite_change_nothing(bad, method):
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    train(bag, vectors, 3)
    before, rows = bag.state_dict(), vectors[:8].clone()
    rows[5, 7] = bad
    with pytest.raises(InputError, match="embedding of id 5 holds NaN or infinity"):
        getattr(bag, method)(torch.arange(8), rows)
    assert all(torch.equal(tensor, before[name]) for name, tensor in bag.state_dict().items())


@pytest.mark.parametrize(
    ("ids", "shape", "part"),
    [
        ([0, 3000], (2, 32), "Ids run from 0 to 3000"),
        ([-1, 5], (2, 32), "Ids run from -1 to 5"),
        ([0.0, 1.0], (2, 32), "one integer a row"),
        ([[0], [1]], (2, 32), "one integer a row"),
        ([0, 1], (3, 32), "\\(3, 32\\)"),
        ([0, 1], (2, 16), "\\(2, 32\\)"),
    ],
)
def test_input_that_does_not_fit_changes_nothing(ids, shape, part):
    labels, _ = clusters()
    bag = BagOfNegatives(labels, dim=32)
    before = bag.state_dict()
    with pytest.raises(InputError, match=part):
        bag.update(torch.tensor(ids), torch.ones(shape))
    assert all(torch.equal(tensor, before[name]) for name, tensor in bag.state_dict().items())


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda bag: bag.bucket(16), "code of 4 bits is 16"),
        (lambda bag: bag.negatives(torch.tensor([9]), 1), "Ids run from 9"),
        (lambda bag: bag.negatives(torch.tensor([0]), 5), "5 negatives"),
        (lambda bag: BagOfNegatives([0, 0], hasher="pca"), "'pca'"),
        (lambda bag: BagOfNegatives([0, 0], bits=40), "40"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(call, part):
    bag = BagOfNegatives([0, 0, 1, 1, 2, 2], dim=4, bits=4)
    with pytest.raises(InputError, match=part):
        call(bag)


def test_raw_outputs_on_the_graph_and_in_half_precision_are_fine():
    labels, vectors = clusters()
    one, other = BagOfNegatives(labels, dim=32), BagOfNegatives(labels, dim=32)
    ids = one.compose()
    other.compose()
    one.update(ids, vectors[ids].half())
    other.update(ids.int(), (7 * vectors[ids].half().float()).requires_grad_())
    assert (one.codes == other.codes).float().mean() > 0.999
    assert not other.hasher.mean.requires_grad


def test_a_batch_can_index_tensors_that_learn():
    labels, vectors = clusters()
    bag = BagOfNegatives(labels, dim=32)
    table = vectors.clone().requires_grad_()
    for ids in (bag.compose(), bag.last.ids, bag.negatives(torch.arange(5))[0], bag.triplets(5)[0]):
        table[ids].sum().backward()
    assert table.grad.abs().sum() > 0


def test_an_id_that_repeats_in_an_update_is_in_the_bag_once():
    bag = BagOfNegatives([0, 0, 1, 1], dim=4, bits=2)
    vectors = torch.nn.functional.normalize(torch.randn(4, 4, generator=generator()))
    rows = torch.stack((vectors[0], vectors[1], -vectors[0]))
    bag.rehash(torch.tensor([2, 1, 2]), rows)
    assert bag.codes[2] == bag.hasher.codes(rows)[[0, 2]].max()
    assert [code for code in range(4) if 2 in bag.bucket(code)] == [bag.codes[2]]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda bag: pickle.loads(pickle.dumps(bag))], ids=["copy", "pickle"])
def test_a_copy_goes_on_as_the_bag_would_and_leaves_it_alone(copied):
    bag = BagOfNegatives(torch.arange(40).repeat_interleave(5), dim=8, seed=3)
    bag.update(torch.arange(200), torch.randn(200, 8, generator=torch.Generator().manual_seed(0)))
    before, other = bag.state_dict(), copied(bag)
    drawn = other.compose(classes=8, images=2, groups=2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in bag.state_dict().items())
    assert torch.equal(drawn, bag.compose(classes=8, images=2, groups=2))
