from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from bon_core.config import (
    DataConfig,
    DivisionConfig,
    InputError,
    Miner,
    MiningConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
)
from bon_core.datasets.rows import Rows
from bon_core.runs import store
from bon_core.runs.audit import PHASES, audit_steps, read_step
from bon_core.training.run_trainer import RunTrainer

pytestmark = pytest.mark.usefixtures("runs_folder")

CONFIG = RunConfig(
    data=DataConfig(name="small"),
    network=NetworkConfig(dim=12),
    mining=MiningConfig(classes=6, images=3, groups=2),
    division=DivisionConfig(learners=3, warmup=0.25, split=0.4, conquer=0.1, recluster_every=1),
    training=TrainingConfig(epochs=3, device="cpu", checkpoint_every=1000, evaluate_every=1000),
)  # 240 images in batches of 18: 13 steps an epoch, 39 steps; split from 10, clustered from 25, conquer from 35


def trainer_of(config: RunConfig, images, name: str = "run") -> RunTrainer:
    return RunTrainer(config, images.part("train"), store.create(name, config))


def weights(trainer: RunTrainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def with_section(config: RunConfig, section: str, **changes) -> RunConfig:
    return replace(config, **{section: replace(getattr(config, section), **changes)})


def stopping_at(trainer: RunTrainer, step: int) -> RunTrainer:
    """Ask for a stop once `step` is reached."""
    sample = trainer.sampler.samplers.sample

    def watched(*arguments):
        if trainer.step == step - 1:
            trainer.run.request_stop()
        return sample(*arguments)

    trainer.sampler.samplers.sample = watched
    return trainer


@pytest.fixture(scope="module")
def whole_run(small_images, tmp_path_factory):
    """One uninterrupted training of CONFIG."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BON_RUNS", str(tmp_path_factory.mktemp("whole")))
        trainer = trainer_of(CONFIG, small_images)
        assert trainer.fit() == "finished"
    return trainer


@pytest.mark.parametrize(
    "division",
    [
        {"warmup": 0.0, "split": 0.0, "conquer": 1.0},
        {"warmup": 0.01, "split": 0.01, "conquer": 0.98},  # of 39 steps, both round to none
        {"warmup": 0.5, "split": 0.0, "conquer": 0.5},
        {"warmup": 0.0, "split": 1.0, "conquer": 0.0},
        {"warmup": 0.0, "split": 0.0, "conquer": 0.01},
        {"warmup": 0.0, "split": 0.02, "conquer": 0.95, "doubling": True},
    ],
    ids=str,
)
def test_any_phase_may_come_first_or_be_missing(small_images, division):
    trainer = trainer_of(with_section(CONFIG, "division", **division), small_images)
    assert trainer.fit() == "finished" and trainer.step == trainer.steps


def test_the_joint_table_is_brought_up_to_date_only_after_it_slept(small_images, monkeypatch):
    rejoined, divisions = [], [CONFIG, with_section(CONFIG, "division", warmup=0.5, split=0.0, conquer=0.5)]
    for number, config in enumerate(divisions):
        trainer = trainer_of(config, small_images, f"run-{number}")
        samplers = trainer.sampler.samplers
        monkeypatch.setattr(samplers, "rejoin", lambda whole, trainer=trainer: rejoined.append(trainer.step))
        trainer.fit()
    assert rejoined == [35]


def test_the_same_config_gives_the_same_run(small_images, whole_run):
    again = trainer_of(CONFIG, small_images)
    again.fit()
    assert same(weights(again), weights(whole_run))
    other = trainer_of(with_section(CONFIG, "training", seed=1), small_images, "other")
    other.fit()
    assert not same(weights(other), weights(whole_run))


@pytest.mark.parametrize("step", [4, 10, 17, 30, 36], ids=["joint", "division", "split", "clustered", "conquer"])
def test_a_resumed_run_ends_bit_for_bit_where_the_whole_one_does(small_images, whole_run, step):
    first = stopping_at(trainer_of(CONFIG, small_images), step)
    assert first.fit() == "stopped" and first.step == step
    first.run.clear_stop()
    second = RunTrainer(CONFIG, small_images.part("train"), first.run)
    second.load()
    assert second.fit() == "finished"
    assert same(weights(second), weights(whole_run))
    bags = [trainer.sampler.samplers.joint.miner.state_dict() for trainer in (second, whole_run)]
    assert same(*bags)
    assert audit_steps(second.run.path).tolist() == audit_steps(whole_run.run.path).tolist() == list(range(39))
    for column, values in read_step(second.run.path, 38).items():
        assert np.array_equal(values, read_step(whole_run.run.path, 38)[column], equal_nan=values.dtype.kind == "f")
    losses = [[event["loss"] for event in trainer.run.events("step")] for trainer in (second, whole_run)]
    assert losses[0] == losses[1]


def test_one_learner_equals_the_undivided_run(small_images):
    """Whatever the shares of the phases, K = 1 has nothing to divide."""
    ended = []
    for name, shares in (("a", {"warmup": 0.0, "split": 0.9}), ("b", {"warmup": 1.0, "split": 0.0, "conquer": 0.0})):
        trainer = trainer_of(with_section(CONFIG, "division", learners=1, **shares), small_images, name)
        trainer.fit()
        ended.append(weights(trainer))
    assert same(*ended)


def test_only_the_learner_whose_turn_it_is_moves(small_images):
    config = with_section(CONFIG, "division", warmup=0.0, split=1.0, conquer=0.0)
    trainer = trainer_of(config, small_images)
    parts = trainer.network.head.parts
    before = [part.weight.detach().clone() for part in parts]
    moved = []

    def watched(*_):
        now = [part.weight.detach().clone() for part in parts]
        moved.append([number for number in range(3) if not torch.equal(now[number], before[number])])
        before[:] = now

    trainer.optimizer.register_step_post_hook(watched)
    trainer.fit()
    expected = [[trainer.sampler.schedule.phase(step).learner] for step in range(trainer.steps)]
    assert moved == expected
    assert {number for turn in moved for number in turn} == {0, 1, 2}


def test_the_log_holds_the_boundary_that_the_margin_loss_learns(whole_run):
    betas = [event["beta"] for event in whole_run.run.events("step")]
    assert whole_run.config.training.loss == "margin"
    assert betas[-1] == pytest.approx(whole_run.loss.beta.item(), abs=0.05) and len(set(betas)) > 1


def test_phases_come_in_order_and_do_not_depend_on_cluster_sizes(whole_run):
    recorded = [int(read_step(whole_run.run.path, step)["phase"][0]) for step in range(39)]
    assert recorded == sorted(recorded) and set(recorded) == {0, 1, 2, 3}
    assert [recorded.count(number) for number in range(len(PHASES))] == [10, 15, 10, 4]


def test_the_audit_log_tells_the_truth(small_images, whole_run):
    label = dict(zip(small_images.ids.tolist(), small_images.labels.tolist(), strict=True))
    for step in range(39):
        rows = read_step(whole_run.run.path, step)
        batch = set(rows["id"].tolist())
        classes = [label[identity] for identity in rows["id"].tolist()]
        assert all(classes[start : start + 3] == classes[start : start + 1] * 3 for start in range(0, len(classes), 3))
        for row in range(len(rows["id"])):
            if rows["negative"][row] >= 0:
                assert rows["negative"][row] in batch and label[int(rows["negative"][row])] != classes[row]
            if rows["positive"][row] >= 0:
                assert rows["positive"][row] in batch and label[int(rows["positive"][row])] == classes[row]
        violation = rows["d_ap"] - rows["d_an"] + 0.2  # NaN where the miner chose nobody
        assert (rows["active"] == (violation > 0))[~(np.abs(violation) < 1e-5)].all() and rows["active"].any()
        mates = rows["role"] == 1
        assert (rows["bucket"][mates] >= 0).all() and (rows["bucket"][rows["role"] == 2] == -1).all()


def test_divided_batches_come_from_one_cluster(small_images, whole_run):
    clusterings = {int(found["step"]): found for found in whole_run.run.clusterings()}
    assert sorted(clusterings) == [10, 23, 25]  # the split phase begins, an epoch later, the clustered phase begins
    for step in range(10, 35):
        found = clusterings[max(at for at in clusterings if at <= step)]
        cluster_of = dict(zip(found["ids"].tolist(), found["aligned"].tolist(), strict=True))
        kept = dict(zip(found["ids"].tolist(), found["kept"].tolist(), strict=True))
        batch = read_step(whole_run.run.path, step)["id"].tolist()
        assert {cluster_of[identity] for identity in batch} == {whole_run.sampler.schedule.phase(step).cluster}
        assert all(kept[identity] for identity in batch)


@pytest.mark.parametrize("options", [{"masks": "learned"}, {"doubling": True}, {"test_norm": "whole"}], ids=str)
def test_the_options_of_the_extended_paper_train_and_resume(small_images, options):
    config = with_section(CONFIG, "division", learners=4, **options)
    whole = trainer_of(config, small_images, "whole")
    assert whole.fit() == "finished"
    first = stopping_at(trainer_of(config, small_images, "parts"), 27)
    first.fit()
    first.run.clear_stop()
    second = RunTrainer(config, small_images.part("train"), first.run)
    second.load()
    second.fit()
    assert same(weights(second), weights(whole))
    counts = [len(event["sizes"]) for event in whole.run.events("clustering")]
    assert counts[:2] == ([2, 4] if "doubling" in options else [4, 4]) and counts[-1] == 4


def test_two_parts_move_while_half_of_the_learners_are_there(small_images):
    """While two of four learners are there, a step moves the two parts of the one whose turn it is."""
    config = with_section(CONFIG, "division", learners=4, warmup=0.0, split=1.0, conquer=0.0, doubling=True)
    trainer = trainer_of(config, small_images)
    parts = trainer.network.head.parts
    before = [part.weight.detach().clone() for part in parts]
    moved = []

    def watched(*_):
        now = [part.weight.detach().clone() for part in parts]
        moved.append({number for number in range(4) if not torch.equal(now[number], before[number])})
        before[:] = now

    trainer.optimizer.register_step_post_hook(watched)
    trainer.fit()
    assert all(turn in ({0, 1}, {2, 3}) for turn in moved[:13])
    assert all(len(turn) == 1 for turn in moved[13:])


def test_clusters_smaller_than_a_batch_train(small_images):
    config = with_section(CONFIG, "division", learners=12, warmup=0.0, split=0.6, conquer=0.0)
    trainer = trainer_of(with_section(config, "mining", classes=20), small_images)
    assert trainer.fit() == "finished"
    assert all(tensor.isfinite().all() for tensor in trainer.network.state_dict().values())


@pytest.mark.parametrize("miner", get_args(Miner))
def test_every_miner_trains(small_images, miner):
    trainer = trainer_of(with_section(CONFIG, "mining", miner=miner), small_images)
    assert trainer.fit() == "finished"
    losses = [event["loss"] for event in trainer.run.events("step")]
    assert np.isfinite(losses).all()


def test_memory_is_part_of_a_checkpoint_and_of_the_audit_log(small_images):
    config = with_section(CONFIG, "mining", miner="xbm", in_batch="batch-hard", memory=60)
    whole = trainer_of(config, small_images, "whole")
    whole.fit()
    first = stopping_at(trainer_of(config, small_images, "parts"), 17)  # in the split phase
    first.fit()
    first.run.clear_stop()
    second = RunTrainer(config, small_images.part("train"), first.run)
    second.load()
    second.fit()
    assert same(weights(second), weights(whole))
    assert same(second.loss.state_dict(), whole.loss.state_dict())
    recorded = [read_step(whole.run.path, step) for step in range(39)]
    assert not any(np.isin(-1, columns["negative"]) for columns in recorded)
    beyond = [~np.isin(columns["negative"], columns["id"]) for columns in recorded]
    assert not beyond[0].any() and np.mean(beyond) > 0.3  # most of what is hardest stands in the memory


def test_the_controlled_share_of_mates_survives_a_resume(small_images):
    config = with_section(CONFIG, "mining", mate_schedule="active", active_goal=0.99)
    trainer = trainer_of(config, small_images)
    trainer.fit()
    shares = [event["mate_share"] for event in trainer.run.events("step")]
    assert shares[0] == 0 and shares[-1] > 0
    again = RunTrainer(config, small_images.part("train"), trainer.run)
    again.load()
    assert again.sampler.curriculum.state_dict() == trainer.sampler.curriculum.state_dict()


def test_buckets_that_collapse_are_warned_about_once(small_images, monkeypatch):
    trainer = trainer_of(with_section(CONFIG, "division", learners=1), small_images)
    bag = trainer.sampler.samplers.joint.miner
    honest = bag.stats
    monkeypatch.setattr(bag, "stats", lambda: honest() | {"entropy_share": 0.5 if trainer.step >= 20 else 0.9})
    trainer.fit()
    (warning,) = trainer.run.events("warning")
    assert warning["step"] == 20
    assert "50 % of what 4 bits hold" in warning["text"]


def test_beta_of_the_margin_loss_moves(small_images):
    config = with_section(CONFIG, "training", loss="margin", epochs=1)
    trainer = trainer_of(with_section(config, "division", learners=1), small_images)
    (beta,) = trainer.loss.parameters()
    before = beta.detach().clone()
    trainer.fit()
    assert not torch.equal(beta, before)


def test_embeddings_that_are_no_numbers_end_with_a_sentence(small_images):
    trainer = trainer_of(CONFIG, small_images)
    with torch.no_grad():
        trainer.network.head.parts[0].weight.fill_(torch.nan)
    with pytest.raises(InputError, match="no longer finite numbers at step 0; lower --lr"):
        trainer.fit()


def test_a_checkpoint_of_another_network_is_refused(small_images):
    trainer = trainer_of(with_section(CONFIG, "training", epochs=0.2), small_images)
    trainer.fit()
    wider = with_section(CONFIG, "network", dim=24)
    with pytest.raises(InputError, match="does not fit its config"):
        RunTrainer(wider, small_images.part("train"), trainer.run).load()


def test_a_device_that_is_not_there_is_refused(small_images, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device"):
        trainer_of(with_section(CONFIG, "training", device="cuda"), small_images)


def from_disk(vectors):
    """The same set, with its vectors taken for a mapped file's."""
    return replace(vectors, vectors=Rows(vectors.vectors))


@pytest.mark.parametrize("backbone", ["linear", "mlp"])
def test_a_head_on_vectors_trains_and_resumes(small_vectors, backbone):
    config = with_section(CONFIG, "network", backbone=backbone)
    whole = trainer_of(config, small_vectors, "whole")
    assert whole.fit() == "finished" and whole.augment is None
    first = stopping_at(trainer_of(config, small_vectors, "parts"), 17)
    first.fit()
    first.run.clear_stop()
    second = RunTrainer(config, small_vectors.part("train"), first.run)
    second.load()
    second.fit()
    assert same(weights(second), weights(whole))


@pytest.mark.parametrize("step", [4, 10, 11, 25, 36])
def test_a_training_from_disk_looks_one_batch_ahead_and_resumes_bit_for_bit(small_vectors, step):
    """Also where the next batch is to come out of teams that are not formed yet: at 10, 23, 25 and 35."""
    config = with_section(CONFIG, "network", backbone="linear")
    disk = from_disk(small_vectors)
    whole = trainer_of(config, disk, "whole")
    assert whole.fit() == "finished"
    first = stopping_at(trainer_of(config, disk, "parts"), step)
    first.fit()
    first.run.clear_stop()
    second = RunTrainer(config, disk.part("train"), first.run)
    second.load()
    second.fit()
    assert same(weights(second), weights(whole))
    assert same(*(trainer.sampler.samplers.joint.miner.state_dict() for trainer in (second, whole)))
    recorded = [read_step(trainer.run.path, 38)["id"].tolist() for trainer in (second, whole)]
    assert recorded[0] == recorded[1]


def test_looking_ahead_composes_before_the_update_and_changes_nothing_else(small_vectors):
    """Uniform batches do not depend on updates, so there disk and memory agree."""
    config = with_section(with_section(CONFIG, "network", backbone="linear"), "mining", miner="uniform")
    config = with_section(config, "division", learners=1)
    ended = []
    for name, data in (("memory", small_vectors), ("disk", from_disk(small_vectors))):
        trainer = trainer_of(config, data, name)
        order = []
        sample, update = trainer.sampler.samplers.sample, trainer.sampler.samplers.update
        trainer.sampler.samplers.sample = lambda *given, do=sample, into=order: (into.append("sample"), do(*given))[1]
        trainer.sampler.samplers.update = lambda *given, do=update, into=order: (into.append("update"), do(*given))[1]
        trainer.fit()
        ended.append((weights(trainer), order))
        shares = [event["input_wait"] for event in trainer.run.events("step")]
        assert all(0 <= share < 1 for share in shares)
    assert same(ended[0][0], ended[1][0])
    assert ended[0][1] == ["sample", "update"] * 39
    assert ended[1][1] == ["sample", *["sample", "update"] * 38, "update"]


def test_images_that_stay_on_disk_train(small_images):
    """Decoding is not at stake here: rows of an array stand for files."""
    disk = replace(small_images, images=Rows(small_images.images))
    trainer = trainer_of(CONFIG, disk)
    assert trainer.fit() == "finished"
    assert np.isfinite([event["loss"] for event in trainer.run.events("step")]).all()
