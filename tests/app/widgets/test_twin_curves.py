"""Curves of two trainings: round ticks, few points, the last one kept, and what was not recorded."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.widgets import twin_curves as module
from app.widgets.twin_curves import MEASURES, MOST_STEPS, _curve, _panel, ticks, twin_curves


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e5))
def test_ticks_are_round_few_and_within(low, width):
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 6
    assert min(found) >= low - 1e-6 * width - 1e-9 and max(found) <= low + width * (1 + 1e-6) + 1e-9
    if len(found) > 1:
        step = found[1] - found[0]
        assert np.allclose(np.diff(found), step) and re.fullmatch(
            "1|2|2.5|5", f"{step / 10 ** np.floor(np.log10(step * (1 + 1e-9))):.4g}"
        )


def test_ticks_by_hand():
    assert ticks(0, 100) == [0, 25, 50, 75, 100]
    assert ticks(0.82, 0.94) == [0.85, 0.9]


def test_a_curve_is_thinned_and_its_last_point_stays(tiny_run):
    measure = next(measure for measure in MEASURES if measure.field == "loss")
    assert _curve(tiny_run, measure, "step").tolist() == [[step, 0.2] for step in range(0, 41, 10)]
    line = (tiny_run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()[0]
    with (tiny_run.path / "events.jsonl").open("a", encoding="utf-8") as events:
        events.writelines(line.replace('"step": 0', f'"step": {step}') + "\n" for step in range(41, 2000))
    thinned = _curve(tiny_run, measure, "step")
    assert len(thinned) <= 1.3 * MOST_STEPS and thinned[-1, 0] == 1999 and (np.diff(thinned[:, 0]) > 0).all()


def test_a_panel_spans_its_curves_and_says_what_is_not_recorded():
    curves = [np.array([[0, 0.5], [10, 0.75]]), np.empty((0, 2))]
    html = _panel(MEASURES[0], "Recall@1 over steps", curves, ["a", "b"])
    assert html.count("<polyline") == 1 and "50 %" in html
    first, last = re.search('points="([^"]+)"', html)[1].split()
    assert float(first.split(",")[0]) == 0 and float(last.split(",")[0]) == 1000
    assert float(first.split(",")[1]) > float(last.split(",")[1])  # up is more
    assert "Not recorded" in _panel(MEASURES[0], "Recall@1", [np.empty((0, 2))], ["a"])


@pytest.mark.parametrize("count", [1, 2])
def test_one_run_or_two_are_drawn_over_steps_and_seconds(tiny_run, monkeypatch, count):
    shown: list[str] = []
    monkeypatch.setattr(module, "board", lambda content, **_: shown.append(content))
    twin_curves([(tiny_run, f"run {number}") for number in range(count)], key="c")
    assert shown[0].count("<polyline") == 2 * len(MEASURES) * count
    assert "Loss over seconds" in shown[0] and "Recall@1 over steps" in shown[0]
