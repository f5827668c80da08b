"""Names stand where their class is."""

import numpy as np

from app.widgets.webgl_map.labels import CELLS, class_labels


def test_a_name_stands_in_its_crowd_and_not_between_two():
    rng = np.random.default_rng(0)
    crowds = [rng.normal((0, 0), 0.01, (60, 2)), rng.normal((9, 9), 0.01, (40, 2)), rng.normal((9, 0), 0.01, (30, 2))]
    labels = np.array([0] * 100 + [2] * 30)
    placed = {name: (x, y) for name, x, y in class_labels(np.concatenate(crowds), labels, ["split", "none", "one"])}
    assert set(placed) == {"split", "one"}
    assert np.hypot(*np.subtract(placed["split"], (0, 0))) < 0.1
    assert np.hypot(*np.subtract(placed["one"], (9, 0))) < 0.1


def test_every_name_lies_within_a_cell_of_a_point_of_its_class_and_the_largest_crowd_comes_first():
    rng = np.random.default_rng(1)
    xy, labels = rng.random((4000, 2)), rng.choice(30, 4000, p=np.arange(1, 31) / 465)
    names = [str(k) for k in range(30)]
    found = class_labels(xy, labels, names)
    assert sorted(name for name, _, _ in found) == sorted(names)
    for name, x, y in found:
        assert np.abs(xy[labels == int(name)] - (x, y)).max(axis=1).min() <= 1 / CELLS
    assert int(found[0][0]) > int(found[-1][0])


def test_no_points_no_names():
    assert class_labels(np.empty((0, 2)), np.empty(0, int), ["a"]) == []
