"""The map of classes and clusters: every cell that holds something is a button that says how much."""

import re

import numpy as np

from app.views.clusters import class_map as module
from app.views.clusters.class_map import NAME, NAMED, class_map

COUNTS = np.array([[3, 1], [0, 5], [2, 2]])


def test_a_cell_is_where_its_class_and_cluster_are_and_as_strong_as_its_share(drawn):
    class_map(COUNTS, [7, 8, 40], ["A", "B", "<C>"], "learner", key="c")
    cells = re.findall(r'data-pick="(\d+):(\d+)" title="([^"]*)".*?grid-area:(\d+)/(\d+);--share:(\d+)%', drawn[0])
    assert [(label, k, row, column, share) for label, k, _, row, column, share in cells] == [
        ("7", "0", "1", "2", "76"),
        ("40", "0", "1", "4", "53"),
        ("7", "1", "2", "2", "30"),
        ("8", "1", "2", "3", "100"),
        ("40", "1", "2", "4", "53"),
    ]
    assert cells[2][2] == "A in learner 1: 1 sample, 25%" and "&lt;C&gt; in learner 0" in cells[1][2]


def test_names_are_left_out_where_they_could_not_be_read(drawn):
    for many in (NAMED, NAMED + 1):
        class_map(np.ones((many, 1), int), range(many), ["A"] * many, "learner", key="c")
    assert [html.count('class="name') for html in drawn] == [NAMED, 0]


def test_a_pick_is_answered_with_class_and_cluster(monkeypatch):
    for answer, expected in (("40:1", (40, 1)), (None, None)):
        monkeypatch.setattr(module, "board", lambda *_, answer=answer, **__: answer)
        assert class_map(COUNTS, [7, 8, 40], ["A", "B", "C"], "learner", key="c") == expected


def test_names_too_long_for_their_columns_stand_upright_and_keep_what_differs(drawn):
    names = [f"a rather long name that ends in {number:02}" for number in range(40)]
    class_map(np.ones((40, 1), int), range(40), names, "learner", key="c")
    shown = re.findall(r'class="name" [^>]*title="([^"]+)"><bdi>([^<]+)</bdi>', drawn[0])
    assert [whole for whole, _ in shown] == names
    assert len({short for _, short in shown}) == 40 and max(len(short) for _, short in shown) <= NAME
