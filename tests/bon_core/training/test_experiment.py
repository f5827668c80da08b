"""A training from end to end, beyond what the command line's tests run."""

from dataclasses import replace

import numpy as np
import pytest

from bon_core.config import DataConfig, InputError, NetworkConfig, RunConfig
from bon_core.datasets.image_set import TRAIN
from bon_core.runs import store
from bon_core.training import evaluator, experiment
from bon_core.training.experiment import settled


@pytest.mark.parametrize(("kind", "auto", "wrong"), [("images", "conv4", "mlp"), ("vectors", "linear", "conv4")])
def test_auto_is_settled_by_the_data_and_a_wrong_backbone_refused(small_images, small_vectors, kind, auto, wrong):
    data = small_images if kind == "images" else small_vectors
    assert settled(RunConfig(), data).network == NetworkConfig(backbone=auto)
    with pytest.raises(InputError, match=f"{wrong} cannot take the .* of small; take {auto} or"):
        settled(RunConfig(network=NetworkConfig(backbone=wrong)), data)


def test_a_snapshot_of_many_samples_shows_some_of_them(small_vectors, vectors_file, runs_folder, monkeypatch):
    """What it shows of them is what it would show of all: ids, codes of the table, clusters of the learners."""
    monkeypatch.setattr(evaluator, "MAX_EVALUATED", 90)
    settings = {"epochs": 3.0, "device": "cpu"}
    config = RunConfig(
        data=DataConfig(name=str(vectors_file)),
        network=NetworkConfig(dim=12),
        mining=replace(RunConfig().mining, classes=6, images=3, groups=2),
        division=replace(RunConfig().division, learners=2),
        training=replace(RunConfig().training, **settings),
    )
    experiment.train("head", config)
    run = store.open_run("head")
    assert {event["queries"] for event in run.events("evaluation")} == {90}
    whole = run.snapshot()
    assert whole.meta["drawn_from"] is None
    arrays = {name: np.array(getattr(whole, name)) for name in ("ids", "split", "codes", "stored_codes", "clusters")}
    monkeypatch.setattr(experiment, "MAX_SHOWN", 240)
    experiment.snapshot("head", device="cpu")
    some = run.snapshot()
    assert 240 <= len(some) < 360 and some.meta["drawn_from"] == 360
    rows = whole.positions(np.asarray(some.ids))
    trained = arrays["split"][rows] == TRAIN
    for name, values in arrays.items():
        kept = trained if name == "clusters" else slice(None)  # centroids of fewer samples lie a little elsewhere
        assert np.array_equal(np.asarray(getattr(some, name))[kept], values[rows][kept]), name
