"""Any settings that a config accepts train to the end, or are refused in a sentence. `make stress` draws many more."""

from dataclasses import fields
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bon_core.config import DivisionConfig, InputError, MiningConfig, NetworkConfig, RunConfig, TrainingConfig
from bon_core.runs import store
from bon_core.training.run_trainer import RunTrainer
from tests.robustness.conftest import STRESS

PHASES = [  # shares of warm-up, split and conquer, with those that round to no step
    *((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (0.01, 0.01, 0.98), (0.5, 0.25, 0.05)),
    *((0.25, 0.0, 0.75), (0.0, 0.05, 0.95), (0.33, 0.33, 0.33), (0.0, 0.5, 0.01), (0.9, 0.02, 0.02)),
]
SHARES = st.sampled_from([0.0, 0.01, 0.05, 0.25, 0.5, 0.95, 1.0])
DRAWN = {  # where neither the choices of a Literal nor two values of a bool say what to draw
    NetworkConfig: {"dim": st.integers(6, 24), "dropout": SHARES.filter(lambda share: share < 1)},
    MiningConfig: {
        "classes": st.integers(2, 12),
        "images": st.integers(2, 6),
        "groups": st.integers(1, 6),
        "bits": st.none() | st.integers(1, 12),
        "capacity": st.none() | st.integers(1, 40),
        "memory": st.integers(40, 300),
        "mate_share": SHARES,
        "mate_ramp": SHARES,
        "active_goal": st.sampled_from([0.1, 0.6, 0.9]),
    },
    DivisionConfig: {
        "learners": st.integers(1, 6),
        "recluster_every": st.integers(1, 4),
        "random_share": SHARES,
    },
    TrainingConfig: {
        "epochs": st.sampled_from([0.05, 0.3, 1.0]),
        "margin": st.sampled_from([0.05, 0.2, 1.0]),
        "audit_every": st.integers(1, 9),
        **dict.fromkeys(("evaluate_every", "checkpoint_every"), st.sampled_from([0.1, 0.5, 9.0])),
    },
}
LEFT_OUT = {"device", "precision", "compile", "learning_rate", "weight_decay", "seed", "minutes"}
BACKBONES = ("auto", "linear", "mlp")  # those that take vectors


@st.composite
def configs(draw) -> RunConfig | None:
    """Random settings; None where they are refused together."""
    sections = {}
    for section, kind in (("network", NetworkConfig), ("mining", MiningConfig), ("division", DivisionConfig)):
        sections[section] = _section(draw, kind)
    sections["division"] |= dict(zip(("warmup", "split", "conquer"), draw(st.sampled_from(PHASES)), strict=True))
    sections["training"] = _section(draw, TrainingConfig) | {"device": "cpu"}
    kinds = get_type_hints(RunConfig)
    try:
        return RunConfig(**{section: kinds[section](**values) for section, values in sections.items()})
    except InputError:
        return None


def _section(draw, kind: type) -> dict[str, object]:
    values, hints = {}, get_type_hints(kind)
    for field in fields(kind):
        if field.name in LEFT_OUT or field.name in ("warmup", "split", "conquer"):  # which go together
            continue
        if field.name == "backbone":
            values[field.name] = draw(st.sampled_from(BACKBONES))
        elif field.name in DRAWN[kind]:
            values[field.name] = draw(DRAWN[kind][field.name])
        elif get_origin(hints[field.name]) is not None:
            values[field.name] = draw(st.sampled_from(get_args(hints[field.name])))
        else:
            values[field.name] = draw(st.booleans())
    return values


@pytest.mark.usefixtures("runs_folder")
@settings(max_examples=600 if STRESS else 40, suppress_health_check=list(HealthCheck))
@given(config=configs())
def test_random_settings_train_or_are_refused(small_vectors, tmp_path_factory, config):
    if config is None:
        return
    from bon_core.training.experiment import settled

    folder = tmp_path_factory.mktemp("fuzzed")
    try:
        trainer = RunTrainer(
            settled(config, small_vectors),
            small_vectors.part("train"),
            store.create("fuzzed", config, folder=folder),
        )
    except InputError:
        return  # the data is too small for them
    assert trainer.fit() == "finished" and trainer.step == trainer.steps
