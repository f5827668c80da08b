import dataclasses
import json
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from bon_core.settings import default_of, setting_of


def test_defaults_are_valid_and_survive_json():
    assert RunConfig.from_json(RunConfig().to_json()) == RunConfig()


@given(
    st.builds(
        RunConfig,
        data=st.builds(
            DataConfig,
            name=st.text(min_size=1),
            path=st.none() | st.text(),
            image_size=st.none() | st.integers(8, 512),
            holdout=st.floats(0, 0.5),
        ),
        mining=st.builds(
            MiningConfig,
            miner=st.sampled_from(get_args(Miner)),
            bits=st.none() | st.integers(1, 30),
            mate_share=st.floats(0, 1),
            hamming=st.booleans(),
        ),
        training=st.builds(TrainingConfig, epochs=st.floats(0.01, 1000), seed=st.integers(0, 2**31 - 1)),
    )
)
def test_every_config_survives_json(config):
    assert RunConfig.from_json(config.to_json()) == config


def test_what_json_leaves_out_has_its_default():
    config = RunConfig.from_json('{"mining": {"classes": 16}, "training": {"epochs": 3}}')
    assert config.mining == MiningConfig(classes=16)
    assert config.training.epochs == 3.0 and isinstance(config.training.epochs, float)
    assert config.data == DataConfig()


def test_batch_is_classes_times_images():
    assert MiningConfig(classes=6, images=5, groups=2).batch == 30


@pytest.mark.parametrize(
    ("miner", "batch_miner", "in_batch_miner"),
    [
        ("bon", "bon", "semi-hard"),
        ("exact", "exact", "semi-hard"),
        ("xbm", "uniform", "semi-hard"),
        ("batch-hard", "uniform", "batch-hard"),
        ("multi-similarity", "uniform", "multi-similarity"),
    ],
)
def test_a_miner_makes_batches_or_works_in_them(miner, batch_miner, in_batch_miner):
    mining = MiningConfig(miner=miner, in_batch="semi-hard")
    assert (mining.batch_miner, mining.in_batch_miner) == (batch_miner, in_batch_miner)


def test_configs_cannot_be_changed_or_given_by_position():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DataConfig().name = "other"
    with pytest.raises(TypeError):
        DataConfig("glyphs")


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (DataConfig, {"name": ""}, "name is empty"),
        (DataConfig, {"image_size": 7}, "Image size is 7 px, but must be 8 to 512"),
        (DataConfig, {"image_size": 513}, "513"),
        (DataConfig, {"holdout": 0.51}, "at most half"),
        (DataConfig, {"holdout": -0.1}, "Hold-out is -0.1"),
        (NetworkConfig, {"dim": 1}, "width is 1"),
        (NetworkConfig, {"dim": 4097}, "4097"),
        (MiningConfig, {"classes": 1, "groups": 1}, "2 to 4096 classes"),
        (MiningConfig, {"images": 1}, "no positive pair"),
        (MiningConfig, {"groups": 33}, "33 groups do not fit a batch of 32"),
        (MiningConfig, {"groups": 0}, "0 groups"),
        (MiningConfig, {"bits": 0}, "1 to 30 bits"),
        (MiningConfig, {"bits": 31}, "31 bits"),
        (MiningConfig, {"capacity": 0}, "capacity 0 holds nothing"),
        (MiningConfig, {"mate_share": 1.1}, "mates is 1.1"),
        (MiningConfig, {"mate_ramp": -1}, "ramp"),
        (MiningConfig, {"mate_schedule": "fast"}, "mate-schedule is 'fast', but must be one of ramp, active"),
        (MiningConfig, {"active_goal": 1}, "goal for active anchors is 1"),
        (MiningConfig, {"miner": "xbm", "memory": 100}, "memory of 100 embeddings does not hold a batch of 128"),
        (DivisionConfig, {"learners": 0}, "1 .undivided. to 32"),
        (DivisionConfig, {"learners": 33}, "33 learners"),
        (DivisionConfig, {"warmup": 1.5}, "warmup share is 1.5"),
        (DivisionConfig, {"random_share": -0.5}, "random_share share is -0.5"),
        (DivisionConfig, {"warmup": 0.5, "split": 0.5, "conquer": 0.1}, "add up to 1.1"),
        (DivisionConfig, {"recluster_every": 0}, "Re-clustering every 0"),
        (TrainingConfig, {"epochs": 0}, "0 epochs"),
        (TrainingConfig, {"epochs": float("nan")}, "nan epochs"),
        (TrainingConfig, {"learning_rate": 0}, "learning rate of 0"),
        (TrainingConfig, {"weight_decay": 1}, "weight decay of 1"),
        (TrainingConfig, {"margin": 2.5}, "margin is 2.5, but distances end at 2"),
        (TrainingConfig, {"seed": -1}, "seed is -1"),
        (TrainingConfig, {"evaluate_every": 0}, "Evaluating every 0"),
        (TrainingConfig, {"checkpoint_every": 0}, "checkpoint every 0"),
        (TrainingConfig, {"audit_every": 0}, "Recording every 0"),
    ],
)
def test_settings_out_of_range_are_refused_in_a_sentence(kind, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        kind(**settings)


def test_the_ends_of_the_ranges_are_allowed():
    DataConfig(image_size=8, holdout=0.5)
    NetworkConfig(dim=2)
    MiningConfig(classes=2, images=2, groups=2, bits=30, capacity=1, mate_share=0, mate_ramp=1)
    DivisionConfig(learners=1, warmup=0.5, split=0.5, conquer=0)
    TrainingConfig(margin=2, seed=2**31 - 1)


SETTINGS = [
    pytest.param(kind, part, id=f"{kind.__name__}.{part.name}")
    for kind in (DataConfig, NetworkConfig, MiningConfig, DivisionConfig, TrainingConfig)
    for part in dataclasses.fields(kind)
]


@pytest.mark.parametrize(("kind", "part"), SETTINGS)
def test_a_setting_says_what_it_does_and_holds_its_default(kind, part):
    known = setting_of(kind, part.name)
    assert known.help and not known.help.endswith(".")
    assert default_of(kind, part.name) == getattr(kind(), part.name)
    ends = (known.low, known.high, known.above, known.below)
    assert bool(known.refusal) == any(end is not None for end in ends)
    assert part.default is None or not isinstance(part.default, int | float) or known.holds(part.default)


@pytest.mark.parametrize(("kind", "part"), SETTINGS)
def test_just_beyond_its_bounds_a_setting_is_refused_with_its_value(kind, part):
    known, whole = setting_of(kind, part.name), "int" in str(part.type)
    step = 1 if whole else 1e-3
    beyond = [known.low is not None and known.low - step, known.high is not None and known.high + step]
    for value in [known.above, known.below, *beyond]:
        if value is not None and value is not False:
            with pytest.raises(InputError, match=re.escape(known.refusal.format(value=value))):
                kind(**{part.name: value})


def test_a_memory_and_doubling_do_not_go_together():
    with pytest.raises(InputError, match="leave out one of the two"):
        RunConfig(mining=MiningConfig(miner="xbm"), division=DivisionConfig(doubling=True))


def test_more_learners_than_dimensions():
    with pytest.raises(InputError, match="8 learners cannot share 4 dimensions"):
        RunConfig(network=NetworkConfig(dim=4), division=DivisionConfig(learners=8))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"mining": 3}', "mining is 3, but must be an object"),
        ('{"minning": {}}', "unknown field .*minning.*known are data, network"),
        ('{"mining": {"bag": 1}}', "unknown field .*bag.*known are miner"),
        ('{"mining": {"miner": "bons"}}', "'bons', but must be one of bon, uniform"),
        ('{"mining": {"classes": "8"}}', "classes is '8', but must be of type int"),
        ('{"mining": {"classes": 8.5}}', "must be of type int"),
        ('{"mining": {"classes": true}}', "must be of type int"),
        ('{"mining": {"bits": "4"}}', "of type int or null"),
        ('{"mining": {"hamming": 1}}', "of type bool"),
        ('{"training": {"epochs": true}}', "of type float"),
        ('{"training": {"epochs": null}}', "of type float"),
        ('{"training": {"epochs": -1}}', "-1 epochs"),
    ],
)
def test_json_that_is_no_config(text, sentence):
    with pytest.raises(InputError, match=sentence):
        RunConfig.from_json(text)


def test_json_is_readable_and_complete():
    tree = json.loads(RunConfig().to_json())
    assert list(tree) == ["data", "network", "mining", "division", "training"]
    assert tree["mining"]["bits"] is None and tree["data"]["name"] == "glyphs"
