import numpy as np
import pytest
import torch

from bon_core.mining import codes, hashing
from bon_core.mining.hashing import OnlineHasher, RandomHyperplanes


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def stretched(count, dim, seed=0):
    """Unit vectors whose variance falls from the first axis to the last, away from the origin."""
    spread = torch.arange(1, dim + 1) ** -1.0
    shift = torch.full((dim,), 0.3)
    return torch.nn.functional.normalize(torch.randn(count, dim, generator=generator(seed)) * spread + shift)


def test_a_step_descends_the_reconstruction_error():
    """With orthonormal rows it is autograd's gradient of |x - W'W x|^2 over the weighted rows' variance along W."""
    vectors, weights = stretched(40, 8), (torch.arange(40) % 3 == 0).float()
    hasher = OnlineHasher(8, 3, generator=generator())
    before = hasher.weight.clone().requires_grad_()
    hasher.learn(vectors, weights)

    centred = vectors[weights > 0] - vectors[weights > 0].mean(0)
    error = 0.5 * ((centred - centred @ before.t() @ before) ** 2).sum()
    error.backward()
    variance = ((centred @ before.t()) ** 2).sum() / 3
    torch.testing.assert_close(hasher.weight, (before - hashing.RATE * before.grad / variance).detach())


@pytest.mark.slow
def test_rows_that_are_not_orthonormal_become_so():
    hasher = OnlineHasher(8, 3, generator=generator())
    hasher.weight.mul_(1.3).add_(0.1 * torch.randn(3, 8, generator=generator(1)))
    for step in range(400):
        hasher.learn(stretched(32, 8, seed=step), torch.ones(32))
    torch.testing.assert_close(hasher.weight @ hasher.weight.t(), torch.eye(3), atol=0.01, rtol=0)


def test_a_step_gives_the_codes_around_the_new_mean_by_the_old_directions():
    vectors = stretched(40, 8)
    for hasher in (OnlineHasher(8, 3, generator=generator()), RandomHyperplanes(8, 3, generator=generator())):
        before = hasher.weight.clone()
        given = hasher.learn(vectors, torch.ones(40))
        hasher.weight.copy_(before)
        assert torch.equal(given, hasher.codes(vectors))


def test_it_finds_the_directions_of_most_variance():
    hasher = OnlineHasher(32, 4, generator=generator())
    for step in range(400):
        hasher.learn(stretched(32, 32, seed=step), torch.ones(32))
    covariance = torch.cov(stretched(5000, 32, seed=999).t())
    best = torch.linalg.eigvalsh(covariance)[-4:].sum()
    captured = torch.trace(hasher.weight @ covariance @ hasher.weight.t())
    assert captured > 0.95 * best
    torch.testing.assert_close(hasher.weight @ hasher.weight.t(), torch.eye(4), atol=0.1, rtol=0)


def test_the_mean_forgets_exponentially_and_only_uniform_rows_count():
    hasher = OnlineHasher(2, 1, generator=generator())
    first, second = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[-1.0, 0.0], [0.0, -1.0]])
    hasher.learn(first, torch.tensor([1.0, 0.0]))
    assert hasher.mean.tolist() == [1.0, 0.0]
    hasher.learn(second, torch.tensor([1.0, 0.0]))
    keep = hashing.MEMORY
    assert hasher.mean.tolist() == pytest.approx([(keep - 1) / (keep + 1), 0.0], abs=1e-6)


@pytest.mark.slow
def test_rows_that_are_not_uniform_teach_nothing():
    hasher = OnlineHasher(8, 3, generator=generator())
    hasher.learn(stretched(20, 8), torch.ones(20))
    before = hasher.state_dict()
    for _ in range(3000):
        hasher.learn(stretched(20, 8, seed=1), torch.zeros(20))
    assert torch.equal(hasher.mean, before["mean"])
    assert torch.equal(hasher.weight, before["weight"])


def test_codes_are_those_of_the_numpy_twin():
    vectors = stretched(500, 16)
    hasher = OnlineHasher(16, 10, generator=generator())
    hasher.learn(vectors, torch.ones(500))
    mean, projection = hasher.mean.numpy(), hasher.projection.numpy()
    clear = (np.abs((vectors.numpy() - mean) @ projection) > 1e-5).all(1)  # rounding decides nearer to zero
    twin = codes.codes_of(vectors.numpy(), mean, projection)
    assert clear.mean() > 0.9
    assert np.array_equal(hasher.codes(vectors).numpy()[clear], twin[clear])


@pytest.mark.parametrize("bits", [24, 25, 30])
def test_many_bits_are_packed_exactly(bits):
    hasher = OnlineHasher(bits, bits, generator=generator())
    hasher.weight.copy_(torch.eye(bits))
    signs = torch.randint(2, (50, bits), generator=generator())
    signs[0], signs[1] = 1, torch.eye(bits)[0]
    expected = (signs << torch.arange(bits)).sum(1)
    assert torch.equal(hasher.codes(signs - 0.5), expected)
    assert hasher.codes(torch.zeros(1, bits)).tolist() == [0]  # zero is not above zero


def test_centring_fills_the_buckets_of_an_embedding_away_from_the_origin():
    """The specification's table: 5.96 bits uncentred and 9.38 centred of 10 for random hyperplanes."""
    vectors = stretched(4000, 32)
    filled = {}
    for centred in (True, False):
        hasher = RandomHyperplanes(32, 10, generator=generator(), centred=centred)
        hasher.learn(vectors, torch.ones(4000))
        filled[centred] = codes.entropy(hasher.codes(vectors).numpy(), 10)
    assert filled[True] > filled[False] + 2


def test_random_hyperplanes_never_move():
    hasher = RandomHyperplanes(8, 3, generator=generator())
    before = hasher.weight.clone()
    hasher.learn(stretched(20, 8), torch.ones(20))
    assert torch.equal(hasher.weight, before)


def test_more_bits_than_dimensions_still_hash():
    hasher = OnlineHasher(3, 7, generator=generator())
    hasher.learn(stretched(50, 3), torch.ones(50))
    assert hasher.weight.shape == (7, 3)
    assert hasher.codes(stretched(50, 3)).max() < 2**7


def test_a_loaded_hasher_learns_on_identically():
    one, other = OnlineHasher(8, 3, generator=generator(0)), OnlineHasher(8, 3, generator=generator(1))
    one.learn(stretched(20, 8), torch.ones(20))
    other.load_state_dict(one.state_dict())
    for hasher in (one, other):
        hasher.learn(stretched(20, 8, seed=5), torch.ones(20))
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.mean, other.mean)
