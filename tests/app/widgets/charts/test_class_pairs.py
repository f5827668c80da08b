"""Pairs of classes: both names are there, and differ where they are cut."""

import re

from app.analysis.retrieval import Confusion
from app.widgets.charts.class_pairs import NAME, class_pairs
from app.widgets.primitives import board


def test_both_names_of_a_pair_stand_in_lines_of_their_own_and_differ(view, drawn, monkeypatch):
    monkeypatch.setattr(board.cached, "sprite", lambda *_: None)
    names = [f"a class with a long name, the one of number {number:04}" for number in range(20)]
    view.snapshot.meta["class_names"] = names[: len(view.snapshot.class_names)]
    fields = {"one": 0, "other": 1, "count": 4, "query": 0, "found": 1}
    known = Confusion.__dataclass_fields__ if hasattr(Confusion, "__dataclass_fields__") else Confusion._fields
    pair = Confusion(**{name: fields.get(name, 9) for name in known})
    class_pairs(view, [pair], key="p", caption="{count:,} times")
    shown = re.findall("<bdi>(.*?)</bdi>", drawn[0])
    assert len(shown) == 2 and shown[0] != shown[1] and max(map(len, shown)) <= NAME
    assert all(name in drawn[0] for name in names[:2]), "the whole names are said on hover"
