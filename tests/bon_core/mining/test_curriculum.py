import pytest

from bon_core.config import MiningConfig
from bon_core.mining.curriculum import MateShare


def test_the_ramp_is_even_and_ends_at_the_share():
    mates = MateShare(MiningConfig(mate_share=0.8, mate_ramp=0.5))
    assert [mates.at(progress) for progress in (0, 0.25, 0.5, 0.99)] == pytest.approx([0, 0.4, 0.8, 0.8])


def test_without_a_ramp_all_mates_are_there_at_once():
    assert MateShare(MiningConfig(mate_ramp=0)).at(0) == 1


def test_mates_are_added_while_too_few_anchors_are_active_and_taken_back_when_too_many_are():
    mates = MateShare(MiningConfig(mate_schedule="active", active_goal=0.5, mate_share=0.6))
    for _ in range(40):
        mates.observe(0.9)
    assert mates.at(0.5) == 0
    for _ in range(40):
        mates.observe(0.1)
    assert mates.at(0) == pytest.approx(0.6)  # never beyond the largest share
    for _ in range(8):
        mates.observe(1.0)
    assert 0 < mates.at(0.99) < 0.6


def test_a_batch_out_of_line_does_not_turn_the_controller():
    mates = MateShare(MiningConfig(mate_schedule="active", active_goal=0.5))
    for _ in range(20):
        mates.observe(0.1)
    before = mates.at(0)
    mates.observe(1.0)
    assert mates.at(0) > before


def test_the_state_goes_on_where_it_was():
    mining = MiningConfig(mate_schedule="active", active_goal=0.5)
    one, other = MateShare(mining), MateShare(mining)
    for active in (0.2, 0.1, 0.9, 0.3):
        one.observe(active)
    other.load_state_dict(one.state_dict())
    for mates in (one, other):
        mates.observe(0.2)
    assert one.state_dict() == other.state_dict()
