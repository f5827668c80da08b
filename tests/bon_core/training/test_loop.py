"""The trainer with networks, samplers, losses and callbacks that are not ours."""

import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses, miners
from torch import nn
from torch.utils.data import BatchSampler, RandomSampler

from bon_core.config import InputError
from bon_core.mining import BagOfNegatives, MinedBatchSampler
from bon_core.training import Callback, MetricLoss, Trainer
from bon_core.training.checkpoint import restore, state_of
from bon_core.training.optimizer import parameter_groups

LABELS = torch.arange(12).repeat_interleave(10)
SAMPLES = torch.randn(120, 3, 4, generator=torch.Generator().manual_seed(0)) + LABELS[:, None, None] / 4
BATCHES = BatchSampler(RandomSampler(range(120), generator=torch.Generator().manual_seed(0)), 24, drop_last=True)


def network(width: int = 6) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, width))


def trained(sampler=BATCHES, loss=None, *, steps: int | None = 8, module=None, samples=(SAMPLES, LABELS), **options):
    trainer = Trainer(
        module or network(), samples, sampler, loss or losses.TripletMarginLoss(), steps=steps, device="cpu", **options
    )
    trainer.fit()
    return trainer


class Witness(Callback):
    """Writes down when it is called."""

    def __init__(self):
        self.seen: list[tuple[str, int]] = []
        self.outputs = []

    def on_fit_start(self, trainer):
        self.seen.append(("start", trainer.step))

    def on_train_batch_start(self, trainer):
        self.seen.append(("batch", trainer.step))

    def on_train_batch_end(self, trainer, output):
        self.seen.append(("done", trainer.step))
        self.outputs.append(output)

    def on_fit_end(self, trainer):
        self.seen.append(("end", trainer.step))

    def on_exception(self, trainer, exception):
        self.seen.append((type(exception).__name__, trainer.step))


def test_callbacks_are_called_around_each_step_in_order():
    witness = Witness()
    trained(steps=2, callbacks=[witness])
    calls = [("start", 0), ("batch", 0), ("done", 1), ("batch", 1), ("done", 2), ("end", 2)]
    assert witness.seen == calls
    assert [output.step for output in witness.outputs] == [0, 1]
    assert all(len(output.ids) == 24 and output.mined.loss.isfinite() for output in witness.outputs)


def test_a_plain_batch_sampler_and_loss_equal_a_loop_by_hand():
    """Adam without decay, no miner: the very weights of the loop that anybody would write."""
    draw = torch.Generator().manual_seed(5)
    sampler = BatchSampler(RandomSampler(range(120), generator=draw), 24, drop_last=True)
    module = network()
    trained(sampler, losses.ContrastiveLoss(), module=module, optimizer=torch.optim.Adam(module.parameters()))

    twin, loss = network(), losses.ContrastiveLoss()
    optimizer, draw = torch.optim.Adam(twin.parameters()), torch.Generator().manual_seed(5)
    step = 0
    while step < 8:
        for ids in BatchSampler(RandomSampler(range(120), generator=draw), 24, drop_last=True):
            if step < 8:
                optimizer.zero_grad()
                loss(twin(SAMPLES[ids]), LABELS[ids]).backward()
                optimizer.step()
                step += 1
    assert all(torch.equal(one, other) for one, other in zip(module.parameters(), twin.parameters(), strict=True))


def test_a_bag_learns_from_every_batch():
    bag = BagOfNegatives(LABELS, dim=6, bits=3)
    trainer = trained(MinedBatchSampler(bag, classes=6, images=4, groups=2, batches=5), steps=30)
    assert (bag.codes >= 0).float().mean() > 0.9 and trainer.sampler.batch.roles.unique().numel() > 1


def test_a_miner_of_the_library_goes_into_the_loss():
    seen = []
    miner = miners.BatchHardMiner()
    miner.register_forward_hook(lambda *given: seen.append(len(given[2][0])))
    witness = Witness()
    trained(loss=MetricLoss(losses.TripletMarginLoss(), miner), steps=3, callbacks=[witness])
    assert len(seen) == 3
    mined = witness.outputs[-1].mined
    labels = LABELS[mined.negative[mined.negative >= 0]]
    assert (labels != LABELS[witness.outputs[-1].ids][mined.negative >= 0]).all()


def test_the_learning_rate_follows_the_schedule_and_the_gradient_is_cut():
    class Rates(Callback):
        def __init__(self):
            self.rates, self.norms = [], []

        def on_train_batch_start(self, trainer):
            self.rates.append(trainer.optimizer.param_groups[0]["lr"])

        def on_train_batch_end(self, trainer, output):
            gradients = [parameter.grad.flatten() for parameter in trainer.network.parameters()]
            self.norms.append(torch.cat(gradients).norm().item())

    rates = Rates()
    trained(lr_schedule=lambda step: 1 / (step + 1), clip_norm=0.01, callbacks=[rates], steps=4)
    assert rates.rates == pytest.approx([0.001 / n for n in (1, 2, 3, 4)])
    assert max(rates.norms) <= 0.0101 and max(rates.norms) > 0.009


def test_norms_biases_and_the_losses_own_parameters_do_not_decay():
    loss = MetricLoss("margin", "batch-hard")
    module = network()
    decays, free = parameter_groups(module, loss, weight_decay=0.1)
    assert [len(decays["params"]), decays["weight_decay"]] == [2, 0.1]
    assert [len(free["params"]), free["weight_decay"]] == [5, 0.0]  # 2 biases, scale and shift of the norm, beta
    module[1].weight.requires_grad_(False)
    assert len(parameter_groups(module)[0]["params"]) == 1


@pytest.mark.parametrize("hook", ["on_fit_start", "on_train_batch_start", "on_train_batch_end", "on_fit_end"])
def test_a_callback_that_raises_is_named(hook):
    def fail(*_):
        raise KeyError("mine")

    callback, witness = Callback(), Witness()
    setattr(callback, hook, fail)
    with pytest.raises(RuntimeError, match=rf"The callback Callback failed in {hook} at step \d \(KeyError: 'mine'\)"):
        trained(callbacks=[callback, witness], steps=1)
    assert witness.seen[-1][0] == "RuntimeError"


def test_a_callback_stops_or_finishes_the_training():
    class Stop(Callback):
        def __init__(self, finish):
            self.finish = finish

        def on_train_batch_end(self, trainer, output):
            if trainer.step == 3:
                trainer.should_stop = True
                if self.finish:
                    trainer.finish()

    for finish, outcome in ((False, "stopped"), (True, "finished")):
        trainer = Trainer(
            network(), (SAMPLES, LABELS), BATCHES, losses.TripletMarginLoss(), None, [Stop(finish)], steps=8
        )
        assert trainer.fit() == outcome and trainer.step == 3


def test_the_global_generators_are_left_as_they_were():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    trained(steps=2, module=nn.Flatten(), loss=_Still())
    assert torch.equal(torch.rand(3), expected)


class _Still(nn.Module):
    """A loss with a parameter of its own, which draws random numbers."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, embeddings, labels):
        return self.scale * torch.rand(()) * embeddings.mean()


BAD = {
    "rows that are not there": (
        {"sampler": [[0, 1, 130]]},
        r"gives row 130, but rows are 0 to 119; give it the labels",
    ),
    "negative rows": ({"sampler": [[0, -1]]}, r"gives row -1, but rows are 0 to 119"),
    "no batches": ({"sampler": []}, r"gives no batch"),
    "rows that are no numbers": ({"sampler": [[0.5, 1.0]]}, r"gives float32 of shape \(2,\), but a batch is a list"),
    "a bag alone": ({"sampler": BagOfNegatives(LABELS, dim=6)}, r"A BagOfNegatives gives no batches; put a miner into"),
    "no number of steps": ({"steps": None}, r"A training of None steps is not possible; give steps=1"),
    "fewer labels": ({"samples": (SAMPLES, LABELS[:50])}, r"There are 120 samples and 50 labels; give one label"),
    "samples alone": ({"samples": SAMPLES}, r"The samples are Tensor, but must be"),
    "no vectors": ({"module": nn.Conv1d(3, 2, 1)}, r"The network gives \(24, 2, 4\) for a batch of 24, but must give"),
    "no numbers": ({"samples": (SAMPLES * torch.nan, LABELS)}, r"no longer finite numbers at step 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_said(case):
    options, said = BAD[case]
    with pytest.raises(InputError, match=said):
        trained(**options)


def test_a_network_of_another_width_than_the_bags_is_named():
    bag = BagOfNegatives(LABELS, dim=6, bits=3)
    with pytest.raises(InputError, match=r"embeddings of shape \(24, 7\), but they must be \(24, 6\)"):
        trained(MinedBatchSampler(bag, classes=6, images=4, groups=2, batches=5), module=network(7))


def test_the_state_holds_each_of_two_callbacks_of_one_class():
    class Counter(Callback):
        def __init__(self, count=0):
            self.count = count

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state.get("count", -1)

    trainer = trained(steps=2, callbacks=[Counter(3), Counter(5)])
    state = state_of(trainer)
    trainer.callbacks = [Counter(), Counter(), Counter()]
    restore(trainer, state)
    assert [callback.count for callback in trainer.callbacks] == [3, 5, -1]


def test_images_and_vectors_train_as_arrays():
    images = np.random.default_rng(0).integers(0, 255, (120, 8, 8), dtype=np.uint8)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 6))
    seen = []
    module.register_forward_pre_hook(lambda _, given: seen.append((given[0].shape, float(given[0].max()))))
    trained(samples=(images, LABELS), module=module, steps=1)
    assert seen[0][0] == (24, 1, 8, 8) and 0.5 < seen[0][1] <= 1
    trained(samples=(images.reshape(120, 64).astype(np.float32), LABELS), module=nn.Linear(64, 6), steps=1)
