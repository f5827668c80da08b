"""Divide and conquer in loops that are not ours; those of the documentation run here as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from bon_core.config import DivisionConfig, InputError, MiningConfig
from bon_core.division import DivideAndConquer, MaskedHead, SplitHead

DOCUMENT = Path(__file__).parents[3] / "docs" / "divide_and_conquer.md"
MINING = MiningConfig(classes=4, images=3, groups=2)
PHASES = DivisionConfig(warmup=0.25, split=0.4, conquer=0.1, recluster_every=1)


def toy(classes: int = 24, each: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 32) samples and (N,) labels: 8 values tell the classes, the others are noise, and louder."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(classes).repeat_interleave(each)
    telling = torch.randn(classes, 8, generator=draw)[labels] + 0.3 * torch.randn(len(labels), 8, generator=draw)
    return torch.cat([telling, 1.5 * torch.randn(len(labels), 24, generator=draw)], dim=1), labels


def triplets(embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The farthest positive and the nearest negative of each row."""
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels
    positive = distance.masked_fill(~same, -1).argmax(1)
    negative = distance.masked_fill(same, torch.inf).argmin(1)
    return embeddings, embeddings[positive], embeddings[negative]


def recall(embeddings: torch.Tensor, labels: torch.Tensor) -> float:
    likeness = (embeddings @ embeddings.T).fill_diagonal_(-torch.inf)
    return float((labels[likeness.argmax(1)] == labels).float().mean())


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.S)


@pytest.mark.parametrize("number", [0, 1], ids=["plain PyTorch", "pytorch-metric-learning"])
def test_the_loops_of_the_documentation_train(number):
    torch.manual_seed(0)
    samples, labels = toy(classes=40)
    names = {"samples": samples, "labels": labels, "triplets": triplets}
    exec(blocks()[number], names)  # ours
    with torch.no_grad():
        embeddings = names["head"](names["backbone"](samples))
    assert names["sampler"].step == 300 and names["sampler"].phase.name == "conquer"
    assert recall(embeddings, labels) > recall(torch.nn.functional.normalize(samples), labels) + 0.1


def test_the_loop_changes_ten_lines_at_most():
    marked = re.findall(r"# (\d+)$", blocks()[0], flags=re.M)
    assert [int(number) for number in marked] == list(range(1, len(marked) + 1)) and len(marked) <= 10


def test_the_trainer_of_the_documentation_trains_a_network_of_ones_own(monkeypatch):
    import bon_core

    samples, labels = toy(classes=40)
    opened = []
    monkeypatch.setattr(bon_core, "explore", lambda *given: opened.append(given), raising=False)
    torch.manual_seed(0)
    exec(blocks()[2], {"samples": samples, "labels": labels})
    (embeddings, _), *_ = opened
    assert recall(embeddings, labels) > recall(torch.nn.functional.normalize(samples), labels) + 0.1
    code = blocks()[2]
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 20


class Loop:
    """A plain loop that writes down what it was told."""

    def __init__(self, head, mining=MINING, steps=48, division=PHASES):
        torch.manual_seed(0)
        self.samples, self.labels = toy()
        self.head = head
        self.sampler = DivideAndConquer(self.labels, head, steps=steps, mining=mining, division=division)
        self.optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        self.told = []

    def run(self, until: int | None = None) -> "Loop":
        sampler = self.sampler
        while sampler.step < (sampler.steps if until is None else until):
            refreshed = sampler.needs_embeddings
            if refreshed:
                sampler.refresh(self.head(self.samples).detach())
                assert not sampler.needs_embeddings
            ids = sampler.sample()
            embeddings = self.head(self.samples[ids], sampler.learner, sampler.of)
            _, positive, negative = triplets(embeddings, self.labels[ids])
            self.optimizer.zero_grad()
            ((embeddings - positive).square().sum(1) - (embeddings - negative).square().sum(1)).mean().backward()
            self.optimizer.step()
            self.told.append((sampler.phase, refreshed, ids.clone()))
            sampler.update(ids, embeddings)
        return self


@pytest.mark.parametrize("miner", ["bon", "uniform"])
def test_divided_batches_come_from_the_cluster_whose_turn_it_is(miner):
    loop = Loop(SplitHead(32, 12, 3), MiningConfig(miner=miner, classes=4, images=3, groups=2))
    clusters = {}

    refresh = loop.sampler.refresh

    def watched(embeddings):
        found = refresh(embeddings)
        clusters[loop.sampler.step] = None if found is None else found.current.labels
        return found

    loop.sampler.refresh = watched
    loop.run()
    last = None
    for step, (phase, refreshed, ids) in enumerate(loop.told):
        assert refreshed is (step in clusters)
        last = clusters.get(step, last)
        if phase.cluster is not None:
            assert set(last[ids.numpy()]) == {phase.cluster}
            assert (phase.learner == phase.cluster) is (phase.name == "split")
    assert [phase.name for phase, *_ in loop.told].count("split") == round(0.4 * 48)
    turns = [phase.cluster for phase, *_ in loop.told if phase.name == "split"]
    assert all(set(turns[at : at + 3]) == {0, 1, 2} for at in range(0, len(turns) - 2, 3))


def test_a_slice_of_the_batch_goes_into_the_table_of_its_cluster():
    loop = Loop(SplitHead(32, 12, 3)).run(until=20)
    assert loop.sampler.phase.name == "split"
    assert [part.miner.dim for part in loop.sampler.samplers.parts if part] == [4, 4, 4]


@pytest.mark.parametrize("head", [SplitHead(32, 12, 3), MaskedHead(32, 12, 3)], ids=["slices", "masks"])
def test_a_loop_goes_on_bit_for_bit(head):
    weights = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    whole = Loop(head).run()
    ended = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    for stop in (5, 12, 20, 30, 45):
        head.load_state_dict(weights)
        first = Loop(head).run(until=stop)
        second = Loop(head)
        second.sampler.load_state_dict(first.sampler.state_dict())
        second.run()
        told = [*first.told, *second.told]
        assert all(torch.equal(one[2], other[2]) for one, other in zip(told, whole.told, strict=True))
        assert all(torch.equal(tensor, ended[name]) for name, tensor in head.state_dict().items())


def test_sampling_ahead_gives_the_next_batch_or_waits_for_a_division():
    loop = Loop(SplitHead(32, 12, 3), MiningConfig(miner="uniform", classes=4, images=3, groups=2))
    sampler, waited = loop.sampler, []
    while sampler.step < sampler.steps:
        if sampler.needs_embeddings:
            sampler.refresh(loop.head(loop.samples).detach())
        ids = sampler.sample()
        ahead = sampler.sample_ahead()
        assert sampler.is_ahead is (ahead is not None)
        waited += [sampler.step + 1] if ahead is None else []
        sampler.update(ids, loop.head(loop.samples[ids], sampler.learner, sampler.of))
        if ahead is not None:
            assert torch.equal(sampler.sample(), ahead)
            sampler._ahead = sampler.batch  # give it back
    due = [step for step in range(48) if sampler.schedule.reclusters(step) or sampler.schedule.rejoins(step)]
    assert waited == [*due, 48]


def test_misuse_is_said():
    _, labels = toy()
    sampler = DivideAndConquer(labels, SplitHead(32, 12, 3), steps=10, mining=MINING, division=DivisionConfig(warmup=0))
    with pytest.raises(InputError, match=r"Step 0 asks for the embeddings of all samples; give them to refresh"):
        sampler.sample()
    with pytest.raises(InputError, match=r"shape \(288, 4\), but there are 288 samples and the head gives 12"):
        sampler.refresh(np.zeros((288, 4), np.float32))
    with pytest.raises(InputError, match="NaN or infinity"):
        sampler.refresh(np.full((288, 12), np.nan, np.float32))
    done = Loop(SplitHead(32, 12, 3)).run().sampler
    with pytest.raises(InputError, match="All 48 steps are done; plan more"):
        done.sample()
    with pytest.raises(InputError, match="0 steps cannot be planned"):
        DivideAndConquer(labels, SplitHead(32, 12, 3), steps=0, mining=MINING)
