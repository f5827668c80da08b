"""Curves of two trainings: round ticks, few points, the last one kept, and what was not recorded."""

import re

import numpy as np
import pytest

from app.views.compare.twin_curves import MAX_STEPS, MEASURES, _curve, _panel, twin_curves


def test_a_curve_is_thinned_and_its_last_point_stays(tiny_run):
    measure = next(measure for measure in MEASURES if measure.field == "loss")
    assert _curve(tiny_run, measure, "step").tolist() == [[step, 0.2] for step in range(0, 41, 10)]
    line = (tiny_run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()[0]
    with (tiny_run.path / "events.jsonl").open("a", encoding="utf-8") as events:
        events.writelines(line.replace('"step": 0', f'"step": {step}') + "\n" for step in range(41, 2000))
    thinned = _curve(tiny_run, measure, "step")
    assert len(thinned) <= 1.3 * MAX_STEPS and thinned[-1, 0] == 1999 and (np.diff(thinned[:, 0]) > 0).all()


def test_a_panel_spans_its_curves_and_says_what_is_not_recorded():
    curves = [np.array([[0, 0.5], [10, 0.75]]), np.empty((0, 2))]
    html = _panel(MEASURES[0], "Recall@1 over steps", curves, ["a", "b"])
    assert html.count("<polyline") == 1 and "50 %" in html
    first, last = re.search('points="([^"]+)"', html)[1].split()
    assert float(first.split(",")[0]) == 0 and float(last.split(",")[0]) == 1000
    assert float(first.split(",")[1]) > float(last.split(",")[1])  # up is more
    assert "Not recorded" in _panel(MEASURES[0], "Recall@1", [np.empty((0, 2))], ["a"])


@pytest.mark.parametrize("count", [1, 2])
def test_one_run_or_two_are_drawn_over_steps_and_seconds(tiny_run, drawn, count):
    twin_curves([(tiny_run, f"run {number}") for number in range(count)], key="c")
    assert drawn[0].count("<polyline") == 2 * len(MEASURES) * count
    assert "Loss over seconds" in drawn[0] and "Recall@1 over steps" in drawn[0]
