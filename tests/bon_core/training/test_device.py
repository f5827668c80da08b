"""Where a training computes, and how finely."""

import ctypes
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from bon_core.config import (
    DataConfig,
    DivisionConfig,
    InputError,
    MiningConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
)
from bon_core.runs import store
from bon_core.training.batch_loader import held_on
from bon_core.training.device import check_compiles, device_for, precision_for
from bon_core.training.run_trainer import RunTrainer

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CONFIG = RunConfig(
    data=DataConfig(name="small"),
    network=NetworkConfig(dim=12),
    mining=MiningConfig(classes=6, images=3, groups=2),
    division=DivisionConfig(learners=3, warmup=0.25, split=0.5, recluster_every=1),
    training=TrainingConfig(epochs=1, checkpoint_every=1000, evaluate_every=1000),
)
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def losses(images, name: str, **training) -> list[float]:
    config = replace(CONFIG, training=replace(CONFIG.training, **training))
    trainer = RunTrainer(config, images.part("train"), store.create(name, config))
    assert trainer.fit() == "finished"
    assert all(weights.dtype != torch.bfloat16 for weights in trainer.network.state_dict().values())
    return [event["loss"] for event in trainer.run.events("step")]


def test_auto_takes_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_for(name).type for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_for("auto") == CPU
    with pytest.raises(InputError, match="no CUDA device is usable here; use --device cpu or auto"):
        device_for("cuda")


@pytest.mark.parametrize("able", [True, False])
def test_bfloat16_only_where_a_gpu_is_made_for_it(able, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able or including_emulation)
    assert precision_for("auto", GPU) == (torch.bfloat16 if able else torch.float32)
    assert precision_for("float32", GPU) == precision_for("auto", CPU) == torch.float32
    assert precision_for("bfloat16", CPU) == torch.bfloat16
    if able:
        assert precision_for("bfloat16", GPU) == torch.bfloat16
    else:
        with pytest.raises(InputError, match="does not compute in it; use --precision auto or float32"):
            precision_for("bfloat16", GPU)


@pytest.mark.slow
@pytest.mark.usefixtures("runs_folder")
def test_bfloat16_changes_the_digits_of_a_training_only(small_images):
    fine = losses(small_images, "fine", device="cpu")
    coarse = losses(small_images, "coarse", device="cpu", precision="bfloat16")
    assert coarse != fine
    assert coarse[0] == pytest.approx(fine[0], rel=0.05)


def test_embeddings_stay_fine():
    """The backbone may be coarse, but what losses and hashes compare has all digits."""
    from bon_core.networks.network import build_network

    network = build_network(NetworkConfig(dim=12), DivisionConfig(learners=3), channels=1, seed=0)
    images = torch.rand(8, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.features(images).dtype == torch.bfloat16
        found = network(images)
    assert found.dtype == torch.float32
    assert (found.norm(dim=1) - 1).abs().max() < 1e-6
    assert found.unique().numel() > 90


@pytest.mark.usefixtures("runs_folder")
def test_compiling_is_refused_on_the_cpu(small_images):
    with pytest.raises(InputError, match="is for CUDA devices"):
        losses(small_images, "run", device="cpu", compile=True)
    check_compiles(GPU)


PAGES_OF_A_STEP = """
import resource, torch
from bon_core.training.device import freed_memory_kept
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(50_000_000 // 4).add(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def own():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
before = own()
with freed_memory_kept():
    print(sum([step() for _ in range(40)][-10:]))
    print(own() - before)
print(own() - before)
"""


def test_steps_find_the_memory_of_those_before_and_leave_it_afterwards():
    found = subprocess.run([sys.executable, "-c", PAGES_OF_A_STEP], capture_output=True, text=True, check=True)
    pages, kept, left = map(int, found.stdout.split())
    has = hasattr(ctypes.CDLL(None), "mallopt")  # of glibc
    assert (pages < 1000) is has  # of 240,000 pages that twenty such blocks take
    assert (kept > 90_000) is has  # kB of two blocks
    assert left < 40_000


def test_samples_that_would_fill_a_gpu_stay_on_the_host(monkeypatch):
    samples = np.zeros((10, 100), dtype=np.uint8)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1999, 10**6))
    assert held_on(samples, GPU).device == CPU


@on_a_gpu
@pytest.mark.gpu
@pytest.mark.usefixtures("runs_folder")
@pytest.mark.parametrize("way", [{"precision": "float32"}, {"precision": "bfloat16"}, {"compile": True}], ids=str)
def test_a_gpu_trains_as_the_cpu_does(small_images, way):
    first = losses(small_images, "cpu", device="cpu", augment=False)[0]
    assert losses(small_images, "gpu", device="cuda", augment=False, **way)[0] == pytest.approx(first, rel=0.1)
