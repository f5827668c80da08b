"""Early stopping and the best checkpoint, both by held-out training classes."""

import json
from types import SimpleNamespace

import pytest
from safetensors import safe_open

from bon_core.config import DataConfig, InputError, RunConfig, TrainingConfig
from bon_core.training.callbacks.checkpoints import BEST, BestCheckpoint
from bon_core.training.callbacks.evaluation import EarlyStopping


class Trained(SimpleNamespace):
    """A trainer of which callbacks see only what they need."""

    def __init__(self, network):
        super().__init__(step=0, network=network, finished=False, processes=SimpleNamespace(first=True, agree=bool))

    def finish(self):
        self.finished = True


def steps(scores, *callbacks, network=None):
    """Evaluate at every second step with these MAP@R, until finished; how many steps were done."""
    trainer, evaluation = Trained(network), callbacks[0].evaluation
    for score in scores:
        evaluation.figures = {"map@r": score}
        for _ in range(2):
            trainer.step += 1
            for callback in callbacks:
                callback.on_train_batch_end(trainer, None)
            if trainer.finished:
                return trainer.step
    return trainer.step


def test_a_training_ends_after_so_many_evaluations_without_a_rise():
    evaluation = SimpleNamespace(figures={})
    assert steps([0.1, 0.3, 0.3, 0.2, 0.4, 0.4], EarlyStopping(evaluation, patience=2)) == 7  # third and fourth
    assert steps([0.1, 0.2, 0.3, 0.4], EarlyStopping(evaluation, patience=1)) == 8


def test_patience_goes_on_where_a_checkpoint_was():
    evaluation = SimpleNamespace(figures={})
    first = EarlyStopping(evaluation, patience=3)
    steps([0.5, 0.4, 0.4], first)
    second = EarlyStopping(SimpleNamespace(figures={}), patience=3)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert steps([0.45], second) == 1


def test_the_best_weights_are_kept(tmp_path):
    import torch

    network = torch.nn.Linear(1, 1, bias=False)
    best = BestCheckpoint(SimpleNamespace(path=tmp_path), SimpleNamespace(figures={}))
    for score, weight in ((0.2, 1.0), (0.6, 2.0), (0.5, 3.0)):
        with torch.no_grad():
            network.weight.fill_(weight)
        steps([score], best, network=network)
    with safe_open(tmp_path / BEST, framework="pt") as file:
        assert file.get_tensor("weight").item() == 2.0
        assert file.metadata()["map@r"] == "0.600000"


def test_stopping_by_the_test_classes_is_refused_and_the_remedy_works():
    training = TrainingConfig(patience=2)
    with pytest.raises(InputError, match="would choose by the test classes; set training classes aside with --holdout"):
        RunConfig(training=training)
    RunConfig(training=training, data=DataConfig(holdout=0.2))
    with pytest.raises(InputError, match="patience of 0 evaluations ends at once; give 1 or more"):
        TrainingConfig(patience=0)
    with pytest.raises(InputError, match=r"cut to 0 .*; give more than 0"):
        TrainingConfig(clip_norm=0.0)
