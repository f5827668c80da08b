"""Several processes train as one: the same losses, the same tables, whoever dies."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from bon_core.config import (
    DataConfig,
    DivisionConfig,
    InputError,
    MiningConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
)
from bon_core.mining.curriculum import MateShare
from bon_core.networks import embedding as networks
from bon_core.runs.audit import audit_steps, read_step
from bon_core.runs.run import Run
from bon_core.training import batch_loader, experiment, run_trainer
from bon_core.training.augmentation import Augmentation
from bon_core.training.callbacks import step_log
from bon_core.training.checkpoint import load_tree
from bon_core.training.distributed import Ranks, SharedBatchNorm, checksum, cores_of, joined
from tests.processes import PATIENCE, together

pytestmark = pytest.mark.slow

CONFIG = RunConfig(
    network=NetworkConfig(dim=12),
    mining=MiningConfig(classes=6, images=3, groups=2),
    division=DivisionConfig(learners=3, warmup=0.25, split=0.4, conquer=0.1, recluster_every=1),
    training=TrainingConfig(epochs=3, device="cpu", checkpoint_every=1000, evaluate_every=1000),
)  # 39 steps of at most 18 images: joint, split from 10, clustered from 25, conquer from 35; clusters may give fewer


def train_one(folder: Path, config: RunConfig, *, fine: bool = True) -> None:
    """Train or go on, without the map at the end, and log the loss of each step.

    `fine`: in double precision, for sums in another order would else turn the sign of a bit in some thousand codes.
    """
    os.environ["BON_RUNS"] = str(folder)
    if fine:
        build, batch_of = run_trainer.build_network, networks.batch_of
        run_trainer.build_network = lambda *given, **named: build(*given, **named).double()
        batch_loader.batch_of = networks.batch_of = lambda samples, device: batch_of(samples, device).double()
    step_log.LOG_EVERY = 1
    experiment._take_snapshot = lambda *_, **__: {}
    experiment.write_card = lambda run: None
    experiment.Evaluator.__call__ = lambda evaluator, network, step: {"recall@1": 0.0}
    if (folder / "run" / "config.json").exists():
        experiment.resume("run")
    else:
        experiment.train("run", config)


def trained(count: int, folder: Path, config: RunConfig) -> Run:
    """A run of `count` processes."""
    folder.mkdir(exist_ok=True)
    together(count, train_one, folder, folder, config)
    run = Run(folder / "run")
    assert run.status().state in ("finished", "stopped")
    return run


def losses(run: Run) -> np.ndarray:
    events = run.events("step")
    assert [event["step"] for event in events] == list(range(len(events)))  # told once, by one process
    return np.array([event["loss"] for event in events])


def batches(run: Run) -> list[list[int]]:
    steps = audit_steps(run.path)
    assert steps.tolist() == list(range(len(steps)))
    return [read_step(run.path, step)["id"].tolist() for step in steps]


@pytest.fixture(scope="module")
def config(small_file) -> RunConfig:
    return replace(CONFIG, data=DataConfig(name=str(small_file)))


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory) -> Run:
    return trained(1, tmp_path_factory.mktemp("alone"), config)


@pytest.mark.parametrize("count", [2, 4])
def test_many_processes_train_as_one(count, config, alone, tmp_path):
    """Through all phases, with shares that are uneven: batches are the same images, and losses the same numbers."""
    run = trained(count, tmp_path, config)
    assert batches(run) == batches(alone)
    assert np.abs(losses(run) / losses(alone) - 1).max() < 1e-5
    states = [load_tree(each.checkpoint) for each in (run, alone)]
    assert checksum(states[0]["sampler"]["samplers"]["joint"]["table.position"]) == checksum(
        states[1]["sampler"]["samplers"]["joint"]["table.position"]
    )
    for name, weights in states[0]["network"].items():
        assert torch.allclose(weights, states[1]["network"][name], atol=1e-6), name
    assert [entry["processes"] for entry in run.logged() if entry["what"] == "began"] == [count]


def test_checkpoints_do_not_know_how_many_processes_wrote_them(config, alone, tmp_path):
    """Begun by two, stopped by a request that only one of them sees, finished by one."""
    together(2, stop_at, tmp_path, tmp_path, config, 14)
    run = Run(tmp_path / "run")
    assert run.status().state == "stopped" and run.status().message == "Stopped at step 14; continue with --resume."
    trained(1, tmp_path, config)
    assert batches(run) == batches(alone)
    assert np.abs(losses(run) / losses(alone) - 1).max() < 1e-5


def stop_at(folder: Path, config: RunConfig, step: int, fine: bool = True) -> None:
    observe = MateShare.observe

    def watched(mates: MateShare, active: float) -> None:
        observe(mates, active)
        watched.seen += 1
        if os.environ["RANK"] == "0" and watched.seen == step:  # once a step
            Run(folder / "run").request_stop()

    watched.seen = 0
    MateShare.observe = watched
    Run.stop_requested = lambda run, asked=Run.stop_requested: os.environ["RANK"] == "0" and asked(run)
    train_one(folder, config, fine=fine)


def test_vectors_drop_the_same_values(config, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((360, 20)).astype(np.float32)
    vectors += 2 * np.random.default_rng(1).standard_normal((36, 20)).astype(np.float32).repeat(10, axis=0)
    file = tmp_path / "vectors.npz"
    np.savez(file, vectors=vectors, labels=np.repeat(np.arange(36), 10))
    config = replace(config, data=DataConfig(name=str(file)), network=NetworkConfig(dim=12, backbone="mlp"))
    one, two = (trained(count, tmp_path / str(count), config) for count in (1, 2))
    assert np.abs(losses(two) / losses(one) - 1).max() < 1e-5
    assert batches(two) == batches(one)


def test_shares_add_up_to_the_whole_batch(tmp_path):
    """Batch norm and gather against one process, forwards and backwards, also where a rank has no row."""
    together(3, compare_with_whole, tmp_path)


def compare_with_whole() -> None:
    with joined("cpu") as ranks:
        ranks.begin()
        for total in (11, 2):
            torch.manual_seed(total)
            norm, weights = nn.BatchNorm2d(5), torch.randn(5 * 4, 7)
            images = (
                3 * torch.randn(total, 5, 2, 2).to(memory_format=torch.channels_last) + torch.arange(5)[:, None, None]
            )
            target = torch.randn(total, 7)
            results = []
            for count in (1, 3):
                module = nn.BatchNorm2d(5)
                module.load_state_dict(norm.state_dict())
                share = ranks.share(total) if count > 1 else slice(None)
                if count > 1:
                    module.__class__ = SharedBatchNorm
                own = images[share].clone().requires_grad_()
                found = module(own).flatten(1) @ weights
                gathered = ranks.gather(found, total) if count > 1 else found
                (gathered - target).pow(3).sum().backward()
                results.append((module, own.grad, gathered))
            (whole, whole_grad, expected), (shared, own_grad, gathered) = results
            close = {"rtol": 1e-4, "atol": 1e-4 * float(whole_grad.abs().max())}
            assert torch.allclose(gathered, expected, rtol=1e-4, atol=1e-4)
            assert torch.allclose(own_grad / 3, whole_grad[ranks.share(total)], **close)
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                assert torch.allclose(getattr(shared, name), getattr(whole, name))
            for name in ("weight", "bias"):
                of_all = getattr(shared, name).grad.clone()
                torch.distributed.all_reduce(of_all)
                of_whole = getattr(whole, name).grad
                assert torch.allclose(of_all / 3, of_whole, rtol=1e-4, atol=1e-4 * float(of_whole.abs().max())), name


LEAVE = """
import weakref
import torch
from bon_core.training.distributed import joined

with joined("cpu") as ranks:
    ranks.begin()
    network = torch.nn.Linear(3, 3)
    network.parallel = [ranks.parallel(network, resting=False)]  # in a circle, as a trainer's parts are
    network.parallel[0](torch.ones(2, 3)).sum().backward()
    del network
    group = weakref.ref(torch.distributed.group.WORLD)
assert group() is None
"""  # with as little imported before as in the program


def test_threads_of_a_group_end_with_it(tmp_path):
    """Else one of them now and then reaches for a Python that is gone, and torchrun trains again what was stopped."""
    script = tmp_path / "leave.py"
    script.write_text(LEAVE)
    words = f"-m torch.distributed.run --standalone --nproc-per-node 2 {script}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, *words.split()], env=environment, timeout=PATIENCE, check=True)


def test_tables_that_differ_are_found(tmp_path):
    together(2, differ, tmp_path)


def differ() -> None:
    with joined("cpu") as ranks:
        ranks.begin()
        table = {"slots": torch.arange(6, dtype=torch.int32), "of": [None, torch.ones((), dtype=torch.bool)]}
        ranks.assert_in_sync(table, 3)
        table["slots"][4] += ranks.rank
        with pytest.raises(InputError, match="At step 4 the tables of rank 1 are no longer those of rank 0"):
            ranks.assert_in_sync(table, 4)
        order = np.arange(3) if ranks.first else np.zeros(3, dtype=np.int64)
        ranks.broadcast(order)
        assert order.tolist() == [0, 1, 2]


def test_a_checksum_sees_values_and_their_places():
    table = torch.tensor([3, 1, 2])
    assert checksum([table]) == checksum({"a": table.clone()})
    assert len({checksum(each) for each in (table, table.flip(0), table + 1, table.int(), [table, table])}) == 5


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_looks_the_same_whoever_varies_it(channels):
    torch.manual_seed(0)
    augment, images = Augmentation(channels), torch.rand(7, channels, 16, 16)
    seen = []
    for rows in (slice(0, 7), slice(0, 3), slice(3, 7)):
        torch.manual_seed(5)
        seen.append(augment(images[rows], rows, 7))
        after = torch.rand(1).item()
    whole, first, second = seen
    assert not torch.equal(whole, images)
    assert augment(images[3:3], slice(3, 3), 7).shape == (0, channels, 16, 16)
    assert torch.allclose(torch.cat((first, second)), whole, atol=1e-6)
    torch.manual_seed(5)
    assert torch.equal(augment.steps(images), whole) and torch.rand(1).item() == after  # kornia's own draw


def test_cores_are_shared_out_where_there_are_enough():
    assert [cores_of(rank, 3, [0, 2, 4, 6, 8, 10, 12]) for rank in range(3)] == [[0, 2], [4, 6], [8, 10, 12]]
    assert [cores_of(rank, 3, [5, 7]) for rank in range(3)] == [[5, 7]] * 3


def test_shares_cover_every_row_once():
    for count in (1, 2, 3, 8):
        for total in (2, 8, 13, 128):
            rows = [row for rank in range(count) for row in range(total)[Ranks(rank, count).share(total)]]
            assert rows == list(range(total))


def test_what_is_wrong_is_said_once(config, tmp_path):
    """A sentence of rank 0; the others go home in silence."""
    together(2, refuse, tmp_path, tmp_path, config)
    assert [path.read_text() for path in sorted(tmp_path.glob("words-*"))] == ["", ""]


def refuse(folder: Path, config: RunConfig) -> None:
    os.environ["BON_RUNS"] = str(folder)
    too_many = replace(config, mining=replace(config.mining, classes=30))
    if os.environ["RANK"] == "0":
        with pytest.raises(InputError, match="only 24 training classes"):
            experiment.train("run", too_many)
    else:
        assert experiment.train("run", too_many) == {}


def test_torchrun_goes_on_after_a_process_died(small_file, tmp_path):
    """From the last checkpoint, by the same command, and is asked to stop: all as if nobody had died, bit for bit."""
    words = (
        f"--standalone --nproc-per-node 2 --max-restarts 2 -m -- bon_core train --data {small_file} --run run --dim 12"
        " --classes 6 --images 3 --groups 2 --learners 1 --epochs 300 --checkpoint-every 2 --evaluate-every 1000"
        " --device cpu"
    )
    run = Run(tmp_path / "run")
    torchrun = psutil.Popen(
        [sys.executable, "-m", "torch.distributed.run", *words.split()],
        env={**os.environ, "BON_RUNS": str(tmp_path), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "words").open("w"),
    )

    def wait_for(what: str, times: int) -> None:
        patience = time.monotonic() + PATIENCE
        while [entry["what"] for entry in run.logged()].count(what) < times:
            assert torchrun.poll() is None and time.monotonic() < patience, (tmp_path / "words").read_text()
            time.sleep(0.02)

    try:
        wait_for("saved", 1)
        (second,) = [child for child in torchrun.children() if child.environ().get("RANK") == "1"]
        second.kill()
        wait_for("began", 2)
        run.request_stop()
        torchrun.wait(PATIENCE)
    finally:
        if torchrun.poll() is None:
            torchrun.kill()
    assert torchrun.returncode == 0, (tmp_path / "words").read_text()
    first, again = [entry for entry in run.logged() if entry["what"] == "began"]
    assert first["processes"] == again["processes"] == 2
    assert again["step"] >= 26 > first["step"] == 0
    stopped = load_tree(run.checkpoint)["step"]
    assert run.status().state == "stopped" and run.status().message.startswith(f"Stopped at step {stopped};")

    unharmed = tmp_path / "unharmed"
    unharmed.mkdir()
    together(2, stop_at, unharmed, unharmed, run.config, stopped, False)
    assert len(batches(run)) == stopped and batches(run) == batches(Run(unharmed / "run"))
    found, expected = (load_tree(each / "run" / run.checkpoint.name)["network"] for each in (tmp_path, unharmed))
    assert all(torch.equal(weights, expected[name]) for name, weights in found.items())
