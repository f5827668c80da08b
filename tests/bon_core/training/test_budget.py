"""A budget in minutes is kept, whatever the speed: a clock of our own, which slowed steps move."""

from dataclasses import replace

import pytest

from bon_core.config import (
    DataConfig,
    DivisionConfig,
    InputError,
    MiningConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
)
from bon_core.division.schedule import Schedule
from bon_core.runs import store
from bon_core.runs.run import Run
from bon_core.training import budget, experiment
from bon_core.training.budget import Costs, Plan
from bon_core.training.callbacks.checkpoints import Checkpoint
from bon_core.training.evaluator import Evaluator
from bon_core.training.loop import Trainer

pytestmark = pytest.mark.usefixtures("runs_folder")


class Slow:
    """A machine on which everything takes as long as is said, by its own clock; nothing is mapped, unless `mapped`."""

    def __init__(
        self, patch, *, step, evaluation=0.0, after=0.0, foreseen=None, dividing=0.0, saving=0.0, mapped=False
    ):
        self.now, self.step, self.steps = 0.0, step, 0
        self.foreseen = after if foreseen is None else foreseen
        patch.setattr(budget, "clock", lambda: self.now)
        patch.setattr(experiment, "Aftermath", lambda *arguments, **named: self)
        self._slow(patch, Trainer, "_train_batch", lambda: self.step)
        self._slow(patch, Trainer, "_renew_sampler", lambda: dividing)
        self._slow(patch, Checkpoint, "save", lambda: saving)
        self._slow(patch, Evaluator, "preview", lambda: evaluation)
        if not mapped:
            patch.setattr(experiment, "_take_snapshot", lambda run, *rest, **named: {"step": run.status().step})
            patch.setattr(experiment, "write_card", lambda run: None)
        self._slow(patch, experiment, "_take_snapshot", lambda: after)

    def seconds(self, previews):
        """What comes after the last step, as the run foresees it."""
        return self.foreseen

    def _slow(self, patch, where, name, seconds):
        done = getattr(where, name)

        def slowed(*arguments, **named):
            self.now += seconds()
            self.steps += name == "_train_batch"
            return done(*arguments, **named)

        patch.setattr(where, name, slowed)


def config_of(data, minutes, learners=1, **training) -> RunConfig:
    settings = {"minutes": minutes, "device": "cpu", "evaluate_every": 4.0, "checkpoint_every": 8.0} | training
    return RunConfig(
        data=DataConfig(name=str(data)),
        network=NetworkConfig(dim=12),
        mining=MiningConfig(classes=6, images=3, groups=2),
        division=DivisionConfig(learners=learners, recluster_every=4),
        training=TrainingConfig(**settings),
    )


MACHINES = {
    "fast steps": {"step": 0.7},
    "slow steps": {"step": 4.0},
    "very slow steps": {"step": 11.0},
    "long evaluations": {"step": 0.5, "evaluation": 16.0},
    "a long end": {"step": 0.5, "after": 60.0},
    "a longer end than foreseen": {"step": 0.5, "after": 30.0, "foreseen": 20.0},
    "long divisions and checkpoints": {"step": 0.5, "dividing": 5.0, "saving": 3.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_three_minutes_are_three_minutes(vectors_file, monkeypatch, machine):
    clock, learners = Slow(monkeypatch, **MACHINES[machine]), 2 if "divisions" in machine else 1
    done = experiment.train("run", config_of(vectors_file, 3, learners), spent=5.0)
    assert 0.8 * 180 < clock.now + 5 < 1.2 * 180
    run = store.open_run("run")
    assert done["step"] == clock.steps == run.status().steps
    planned = [line["steps"] for line in run.logged() if line["what"] == "planned"]
    assert 1 <= len(planned) < 40


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_a_machine_that_changes_its_speed_is_followed(vectors_file, monkeypatch, factor):
    clock = Slow(monkeypatch, step=1.0, after=10.0)
    train_on = Trainer._train_batch

    def changing(self, *arguments):
        clock.step = factor if clock.now > 80 else 1.0
        return train_on(self, *arguments)

    monkeypatch.setattr(Trainer, "_train_batch", changing)
    experiment.train("run", config_of(vectors_file, 3))
    assert 0.8 * 180 < clock.now < 1.2 * 180


@pytest.mark.slow
def test_time_spent_before_a_stop_counts(vectors_file, monkeypatch):
    clock = Slow(monkeypatch, step=1.0, after=10.0)
    stopping = Trainer._train_batch

    def stop_at_sixty(self, *arguments):
        if self.step == 60 and clock.now < 80:
            self.run.request_stop()
        return stopping(self, *arguments)

    monkeypatch.setattr(Trainer, "_train_batch", stop_at_sixty)
    assert experiment.train("run", config_of(vectors_file, 3))["state"] == "stopped"
    clock.now += 1000  # nobody is at work meanwhile
    experiment.resume("run", spent=4.0)
    assert 0.8 * 180 < clock.now - 1000 + 4 < 1.2 * 180


@pytest.mark.slow
def test_phases_and_rates_go_by_the_share_of_the_budget(vectors_file, monkeypatch):
    Slow(monkeypatch, step=1.0, after=10.0)
    experiment.train("run", config_of(vectors_file, 3, learners=2))
    run = store.open_run("run")
    steps = run.events("step")
    total = run.status().steps
    share = {
        name: sum(event["phase"] == name for event in steps) / len(steps) for name in ("joint", "split", "conquer")
    }
    assert share == pytest.approx({"joint": 0.5, "split": 0.25, "conquer": 0.05}, abs=0.06)
    assert total == pytest.approx(170, abs=20)


@pytest.mark.slow
def test_what_time_is_left_includes_the_end(vectors_file, monkeypatch):
    monkeypatch.setattr("bon_core.training.callbacks.status.SECONDS_APART", 0.0)
    left, write = [], Run.write_status

    def noted(self, status):
        if status.state == "running" and status.seconds_left is not None:
            left.append((status.step, status.steps, status.seconds_left, status.message))
        write(self, status)

    monkeypatch.setattr(Run, "write_status", noted)
    clock = Slow(monkeypatch, step=1.0, after=30.0, mapped=True)
    experiment.train("run", replace(config_of(vectors_file, None), training=TrainingConfig(epochs=3, device="cpu")))
    training = [line for line in left if not line[3]]
    for step, steps, seconds, _ in training[2:-1]:
        assert seconds == pytest.approx(steps - step + 30, abs=2)
    ending = [seconds for *_, seconds, message in left if message]
    assert ending[0] == pytest.approx(30, abs=2) and ending[-1] < 3 and ending == sorted(ending, reverse=True)
    assert clock.steps == training[-1][1]


def test_a_budget_that_the_end_alone_exceeds_still_gives_a_run(vectors_file, monkeypatch):
    Slow(monkeypatch, step=1.0, after=500.0)
    assert experiment.train("run", config_of(vectors_file, 1))["step"] >= 1
    (said,) = store.open_run("run").events("warning")
    assert "budget of 1 minutes is nearly over" in said["text"] and "take about 500 s; give more" in said["text"]


@pytest.mark.parametrize("minutes", [0, -3, 0.01, 1e9])
def test_minutes_that_are_none_are_refused(minutes):
    with pytest.raises(InputError, match=r"cannot be trained and mapped; give 0\.1 or more"):
        TrainingConfig(minutes=minutes)


def test_a_plan_is_a_straight_line_that_bends_where_it_is_changed():
    plan = Plan(100)
    assert [plan.share_at(step) for step in (0, 25, 100)] == [0, 0.25, 1]
    bent = plan.changed(20, 60).changed(40, 200)
    assert bent.share_at(20) == pytest.approx(0.2) and bent.share_at(40) == pytest.approx(0.6)
    assert bent.share_at(200) == 1 and bent.share_at(120) == pytest.approx(0.8)
    for step in (0, 7, 20, 33, 40, 41, 150, 200):
        assert bent.step_at(bent.share_at(step)) == pytest.approx(step)


def test_what_is_past_stays_where_it_was_when_the_plan_changes():
    division = DivisionConfig(learners=3, warmup=0.2, split=0.3, conquer=0.1, recluster_every=1)

    def schedule(plan):
        settings = {"total_steps": plan.steps, "steps_per_epoch": 7, "seed": 0}
        return Schedule(division, **settings, step_at=plan.step_at)

    plan = Plan(130)
    for step, steps in ((10, 90), (31, 200), (64, 100), (80, 81)):
        before = schedule(plan)
        plan = plan.changed(step, steps)
        after = schedule(plan)
        assert [after.phase(at) for at in range(step)] == [before.phase(at) for at in range(step)]
        assert [after.reclusters(at) for at in range(step)] == [before.reclusters(at) for at in range(step)]
        assert step == 80 or after.phase(steps - 1).name == "conquer"  # in the last step alone no phase has room


def test_the_first_time_is_slow_and_is_forgotten():
    costs = Costs()
    for seconds in (9.0, 1.0, 1.0, 1.0):
        costs.note("step", seconds)
    assert costs["step"] == 1 and costs["never"] == 0
    for _ in range(100):
        costs.note("step", 3.0)
    assert costs["step"] > 2.9
