"""Arrows at the edges of a chart of Vega-Lite to points that lie outside it: how many, and where."""

from collections.abc import Sequence
from typing import Any

from app.widgets.map.webgl_map.plane import Beyond

EDGE = 8  # px


def arrows(outside: Sequence[Beyond]) -> list[dict[str, Any]]:
    """A layer for each side of the chart on which points lie."""
    return [_arrow(one) for one in outside]


def _arrow(one: Beyond) -> dict[str, Any]:
    x = {-1: f"{EDGE}", 0: "width / 2", 1: f"width - {EDGE}"}[one.across]
    y = {1: f"{EDGE}", 0: "height / 2", -1: f"height - {EDGE}"}[one.up]
    return {
        "data": {"values": [{"far": f"{one.arrow} {one.count:,}"}]},
        "mark": {
            "type": "text",
            "align": {-1: "left", 0: "center", 1: "right"}[one.across],
            "baseline": {1: "top", 0: "middle", -1: "bottom"}[one.up],
            "fontSize": 13,
            "fontWeight": 600,
            "tooltip": f"{one.words} of this view; “All points” shows them",
        },
        "encoding": {"text": {"field": "far"}, "x": {"value": {"expr": x}}, "y": {"value": {"expr": y}}},
    }
