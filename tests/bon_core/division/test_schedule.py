"""Schedule: phases by hand, balanced turns, re-clustering times, resume, one learner."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bon_core.config import DivisionConfig, InputError
from bon_core.division.schedule import Phase, Schedule


def schedule(total: int = 100, epoch: int = 7, seed: int = 0, **division) -> Schedule:
    division = {"warmup": 0.3, "split": 0.4, "conquer": 0.05} | division
    return Schedule(DivisionConfig(**division), total_steps=total, steps_per_epoch=epoch, seed=seed)


def test_phases_by_hand():
    plan = schedule(learners=4)
    names = [plan.phase(step).name for step in range(100)]
    assert names == ["joint"] * 30 + ["split"] * 40 + ["clustered"] * 25 + ["conquer"] * 5
    assert plan.phase(0) == Phase("joint", 4) and plan.phase(99) == Phase("conquer", 4)
    for step in range(30, 70):
        assert plan.phase(step).cluster == plan.phase(step).learner is not None
    for step in range(70, 95):
        assert plan.phase(step).learner is None and plan.phase(step).cluster in range(4)


def test_reclusters_as_a_divided_phase_begins_and_every_t_epochs_in_it():
    plan = schedule(learners=4, recluster_every=2, epoch=7)
    assert [step for step in range(100) if plan.reclusters(step)] == [30, 44, 58, 70, 84]
    every = schedule(learners=4, recluster_every=1, epoch=5)
    assert [step for step in range(100) if every.reclusters(step)] == list(range(30, 95, 5))


@pytest.mark.parametrize(
    ("shares", "times"),
    [
        ({"warmup": 0.0, "split": 1.0, "conquer": 0.0}, [0, 40, 80]),
        ({"warmup": 0.5, "split": 0.0, "conquer": 0.0}, [50, 90]),  # clustered batches without the split
        ({"warmup": 1.0, "split": 0.0, "conquer": 0.0}, []),
        ({"warmup": 0.0, "split": 0.0, "conquer": 1.0}, []),
    ],
)
def test_phases_may_be_empty(shares, times):
    plan = schedule(learners=3, epoch=20, **shares)
    assert [step for step in range(100) if plan.reclusters(step)] == times


@given(learners=st.integers(2, 32), seed=st.integers(0, 2**31 - 1), start=st.integers(0, 20))
@settings(max_examples=30)
def test_every_round_visits_each_learner_once(learners, seed, start):
    plan = schedule(total=1000, learners=learners, seed=seed, warmup=0.0, split=1.0, conquer=0.0)
    turns = [plan.phase(start * learners + place).learner for place in range(learners)]
    assert sorted(turns) == list(range(learners))


def test_the_order_is_shuffled_by_seed_and_round():
    def turns(seed: int, plan_round: int) -> list[int]:
        plan = schedule(total=800, learners=8, seed=seed, warmup=0.0, split=1.0, conquer=0.0)
        return [plan.phase(8 * plan_round + place).learner for place in range(8)]

    assert len({tuple(turns(seed, number)) for seed in range(3) for number in range(3)}) == 9
    first = Counter(turns(0, number)[0] for number in range(100))
    assert len(first) == 8 and max(first.values()) < 40


def test_learners_double_at_each_clustering():
    """Clusterings at 30, 44, 58 (split), 70, 84 (clustered): 2, 4, then all 6 learners."""
    plan = schedule(learners=6, recluster_every=2, epoch=7, doubling=True)
    expected = [1] * 30 + [2] * 14 + [4] * 14 + [6] * 42
    assert [plan.phase(step).of for step in range(100)] == expected
    for step in range(30, 95):
        assert plan.phase(step).cluster in range(expected[step])
    for start, of in ((30, 2), (44, 4), (58, 6)):  # a level begins with a whole round
        assert sorted(plan.phase(start + place).cluster for place in range(of)) == list(range(of))


@given(learners=st.integers(2, 32), doubling=st.booleans())
def test_without_doubling_all_learners_are_there_from_the_start(learners, doubling):
    plan = schedule(total=400, epoch=5, learners=learners, recluster_every=1, doubling=doubling)
    counts = [plan.phase(step).of for step in range(400)]
    assert counts == sorted(counts) and counts[-1] == learners
    assert doubling or set(counts) == {learners}


def test_any_step_can_be_asked_first():
    plan = schedule(learners=5)
    forward = [plan.phase(step) for step in range(100)]
    backward = [schedule(learners=5).phase(step) for step in reversed(range(100))]
    assert forward == backward[::-1]


def test_one_learner_trains_jointly_to_the_end():
    plan = schedule(learners=1)
    assert {plan.phase(step) for step in range(100)} == {Phase("joint", 1)}
    assert not any(plan.reclusters(step) for step in range(100))


@settings(max_examples=60)
@given(
    learners=st.integers(1, 8),
    total=st.integers(1, 300),
    epoch=st.integers(1, 40),
    cuts=st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted),
)
def test_the_phases_fill_the_training_in_order(learners, total, epoch, cuts):
    shares = {"warmup": cuts[0], "split": cuts[1] - cuts[0], "conquer": 1 - cuts[2]}
    plan = schedule(total, epoch, learners=learners, **shares)
    order = ["joint", "split", "clustered", "conquer"]
    names = [plan.phase(step).name for step in range(total)]
    assert names == sorted(names, key=order.index)
    for name, (start, stop) in plan.spans.items():
        assert names.count(name) == stop - start
    if learners > 1:
        for name in ("split", "clustered"):
            if name in names:
                assert plan.reclusters(names.index(name))


def test_refuses_an_empty_training():
    with pytest.raises(InputError, match="0 steps"):
        schedule(total=0)
    with pytest.raises(InputError, match="epoch of 0 steps"):
        schedule(epoch=0)
