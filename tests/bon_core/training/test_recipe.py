"""The recipe: constants and shares that no shape or sign would betray. Each test fails if its part is left out."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bon_core.config import DataConfig, DivisionConfig, MiningConfig, NetworkConfig, RunConfig, TrainingConfig
from bon_core.datasets.image_set import TEST, TRAIN
from bon_core.datasets.vector_set import VectorSet
from bon_core.division.cluster_samplers import ClusterSamplers
from bon_core.division.clustering import cluster
from bon_core.mining.layout import MATE, SEED
from bon_core.networks.embedding import batch_of, embed
from bon_core.runs import store
from bon_core.training.metric_loss import MetricLoss
from bon_core.training.run_trainer import RunTrainer

pytestmark = pytest.mark.usefixtures("runs_folder")


def unit(degrees: list[float]) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def config_of(**sections) -> RunConfig:
    """39 steps of 18 images: split from step 10, clustered from 25, conquer from 35."""
    config = RunConfig(
        data=DataConfig(name="small"),
        network=NetworkConfig(dim=12),
        mining=MiningConfig(classes=6, images=3, groups=2),
        division=DivisionConfig(learners=3, warmup=0.25, split=0.4, conquer=0.1, recluster_every=1),
        training=TrainingConfig(epochs=3, device="cpu", checkpoint_every=1000, evaluate_every=1000),
    )
    return replace(config, **{name: replace(getattr(config, name), **changes) for name, changes in sections.items()})


def trainer_of(config: RunConfig, samples) -> RunTrainer:
    return RunTrainer(config, samples.part("train"), store.create("run", config))


# Loss and in-batch miner --------------------------------------------------------------------------------------------


def test_the_margin_loss_keeps_a_margin_on_both_sides_of_beta():
    """By hand, beta = 1.2: a positive at 1.1 is nearer than beta but inside the margin of 0.2; so is a negative at 1.3.

    Without a margin both pairs would lose nothing.
    """
    apart = math.degrees(2 * math.asin(1.1 / 2)), math.degrees(2 * math.asin(1.3 / 2))
    embeddings = unit([0.0, apart[0], -apart[1]])
    loss = MetricLoss("margin", "batch-hard", margin=0.2).loss
    pairs = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    assert loss(embeddings, torch.tensor([0, 0, 1]), pairs).item() == pytest.approx(0.1, abs=1e-4)


def test_distance_weighting_takes_what_is_nearer_than_half_for_half():
    """Negatives at distance 0.1 and 0.4 are drawn equally often; weighed by true distance the nearer one always is."""
    width, draws = 16, 200
    points = torch.zeros(4, width)
    points[:, 0] = 1
    points[1, 1] = 0.05  # the anchor's class
    for row, distance in ((2, 0.1), (3, 0.4)):
        angle = 2 * math.asin(distance / 2)
        points[row, 0], points[row, row] = math.cos(angle), math.sin(angle)
    points = torch.nn.functional.normalize(points, dim=1)
    miner = MetricLoss("margin", "distance-weighted", margin=0.2).miner
    torch.manual_seed(0)
    drawn = [miner(points, torch.tensor([0, 0, 1, 2])) for _ in range(draws)]
    nearer = [negative for anchors, _, negatives in drawn for negative in negatives[anchors == 0].tolist()]
    assert 0.4 < np.mean(np.array(nearer) == 2) < 0.6


# Clusters and their batches -----------------------------------------------------------------------------------------


def test_the_best_of_several_cold_starts_is_kept():
    """Twelve small blobs: a single k-means++ start misses the best partition now and then, the best of three seldom."""
    rng = np.random.default_rng(0)
    found = 0
    for seed in range(40):
        centres = rng.uniform(-1, 1, (12, 2))
        blobs = np.repeat(centres, 30, axis=0) + 0.02 * rng.standard_normal((360, 2))
        vectors = blobs.astype(np.float32)
        planted = np.square(vectors - np.repeat([part.mean(0) for part in np.split(vectors, 12)], 30, axis=0))
        found += cluster(vectors, 12, seed=seed).objective <= 1.02 * planted.sum(1).mean()
    assert found >= 25  # 31 of 40; from single starts 18


@pytest.mark.parametrize("random_share", [0.0, 0.5, 1.0])
def test_a_cluster_keeps_its_share_of_random_classes(random_share):
    """A batch of 8 classes, 2 of them seeds: of the other 6, bucket mates take what the random share leaves."""
    labels = torch.arange(40).repeat_interleave(6)
    mining = MiningConfig(classes=8, images=3, groups=2, bits=1)
    samplers = ClusterSamplers(
        labels,
        dim=8,
        mining=mining,
        random_share=random_share,
        device=torch.device("cpu"),
        seed=0,
    )
    embeddings = torch.nn.functional.normalize(torch.randn(240, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    everybody = torch.ones(240, dtype=torch.bool)
    samplers.divide(labels % 2, everybody, [embeddings, embeddings])
    for _ in range(10):
        roles = samplers.sample(1, mate_share=1.0).roles[::3]
        assert int((roles == SEED).sum()) == 2
        assert int((roles == MATE).sum()) == round((1 - random_share) * 6)


def test_a_division_fills_the_tables_of_its_clusters(small_images):
    """Right after the clustering every member of a cluster lies in a bucket of its own table."""
    trainer = trainer_of(config_of(), small_images)
    divide, seen = trainer.sampler.samplers.divide, []

    def watched(*given):
        divide(*given)
        seen.append([part.miner.codes.clone() for part in trainer.sampler.samplers.parts if part])

    trainer.sampler.samplers.divide = watched
    trainer.fit()
    assert len(seen) == 3 and all(seen)
    assert all((codes >= 0).all() for division in seen for codes in division)


def test_the_joint_table_is_brought_up_to_date_for_the_conquer_phase(small_images):
    """It saw nothing during the divided phases; as conquer begins its codes are those of the present embedding."""
    trainer = trainer_of(config_of(), small_images)
    sample, codes = trainer.sampler.samplers.sample, {}

    def watched(cluster, share):
        if trainer.step in (34, 35):
            bag = trainer.sampler.samplers.joint.miner
            now = torch.from_numpy(embed(trainer.network, trainer.train_set.samples, device="cpu"))
            codes[trainer.step] = (bag.codes == bag.hasher.codes(now)).float().mean().item()
        return sample(cluster, share)

    trainer.sampler.samplers.sample = watched
    trainer.fit()
    assert codes[35] == 1.0 and codes[34] < 0.9


# Optimisation -------------------------------------------------------------------------------------------------------


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth(small_images):
    """200 steps: 2 % are a warm-up of 4; then half a cosine from 1 to 0.01."""
    trainer = trainer_of(
        config_of(training={"learning_rate": 0.01, "epochs": 200 / 13}, division={"learners": 1}), small_images
    )
    rates = []
    trainer.optimizer.register_step_pre_hook(lambda *_: rates.append(trainer.optimizer.param_groups[0]["lr"]))
    trainer.fit()
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01], rel=1e-3)
    assert rates[100] == pytest.approx(0.00505, rel=1e-3)
    assert rates[199] == pytest.approx(0.0001, rel=0.01)


@pytest.mark.parametrize("augment", [True, False])
def test_augmentation_changes_what_the_network_sees(small_images, augment):
    trainer = trainer_of(
        config_of(training={"augment": augment, "epochs": 0.1}, division={"learners": 1}), small_images
    )
    plain, seen = {}, []
    loaded = trainer.loader.load

    def load(positions):
        plain["rows"] = batch_of(trainer.train_set.images[positions.numpy()], "cpu")
        return loaded(positions)

    trainer.loader.load = load
    trainer.network.register_forward_pre_hook(lambda _, given: seen.append(torch.equal(given[0], plain["rows"])))
    trainer.fit()
    assert seen and all(same is not augment for same in seen)


# A toy on which the method must win ---------------------------------------------------------------------------------


def families(seed: int, count: int = 24, members: int = 16) -> VectorSet:
    """So many families of classes: families lie far apart, classes of one family differ in a small part of the values.

    A random batch holds hardly two classes of one family, so that it teaches to tell families apart, which is easy.
    """
    rng = np.random.default_rng(seed)
    classes, images = count * members, 8
    labels = np.repeat(np.arange(classes), images)
    family = 6 * rng.standard_normal((count, 8))[labels // members] + 0.3 * rng.standard_normal((len(labels), 8))
    own = 0.4 * rng.standard_normal((classes, 8))[labels] + 0.1 * rng.standard_normal((len(labels), 8))
    noise = 0.7 * rng.standard_normal((len(labels), 16))
    training = np.isin(labels, rng.permutation(classes)[: classes // 2])
    return VectorSet(
        name="families",
        vectors=np.concatenate([family, own, noise], axis=1).astype(np.float32),
        labels=labels.astype(np.int64),
        class_names=tuple(str(name) for name in range(classes)),
        split=np.where(training, TRAIN, TEST).astype(np.uint8),
        ids=np.arange(len(labels)),
    )


def recall_after(
    data: VectorSet, name: str, *, seed: int, mining: MiningConfig, division: DivisionConfig, dim: int, epochs: float
) -> float:
    config = RunConfig(
        data=DataConfig(name="families"),
        network=NetworkConfig(dim=dim, backbone="linear", dropout=0.0),
        mining=mining,
        division=division,
        training=TrainingConfig(
            epochs=epochs, learning_rate=0.01, seed=seed, device="cpu", checkpoint_every=100, evaluate_every=100
        ),
    )
    trainer = RunTrainer(config, data.part("train"), store.create(name, config))
    trainer.fit()
    tests = data.part("test")
    vectors = embed(trainer.network, tests.samples, device="cpu")
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    return float((tests.labels[likeness.argmax(axis=1)] == tests.labels).mean())


@pytest.mark.slow
def test_bag_of_negatives_wins_where_random_batches_are_easy():
    """Equal steps on three data sets; each of them shows the gain."""
    for seed in range(3):
        data, found = families(seed), {}
        for miner in ("bon", "uniform"):
            mining = MiningConfig(miner=miner, classes=8, images=4, groups=2)
            undivided = DivisionConfig(learners=1)
            found[miner] = recall_after(
                data, f"{miner}-{seed}", seed=seed, mining=mining, division=undivided, dim=16, epochs=6
            )
        assert found["bon"] > found["uniform"] + 0.05, (seed, found)


@pytest.mark.slow
def test_dividing_the_data_wins_where_clusters_are_what_is_hard():
    """Batches of 4 out of 192 classes in 8 families: inside a cluster all of a batch is of one family. Equal steps.

    Data alone is divided here, without a split phase.
    """
    mining = MiningConfig(miner="uniform", classes=4, images=4, groups=2)
    for seed in range(2):
        data, found = families(seed, 8, 48), {}
        for learners in (1, 8):
            division = DivisionConfig(learners=learners, warmup=0.1, split=0.0, conquer=0.05, recluster_every=1)
            found[learners] = recall_after(
                data, f"{learners}-{seed}", seed=seed, mining=mining, division=division, dim=64, epochs=3
            )
        assert found[8] > found[1] + 0.1, (seed, found)
