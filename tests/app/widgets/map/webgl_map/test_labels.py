"""Names stand where their class is."""

import numpy as np

from app.widgets.map.webgl_map.labels import CELLS, WIDEST, class_labels
from app.widgets.map.webgl_map.plane import Bounds, bulk, whole


def test_a_name_stands_in_its_crowd_and_not_between_two():
    rng = np.random.default_rng(0)
    crowds = [rng.normal((0, 0), 0.01, (60, 2)), rng.normal((9, 9), 0.01, (40, 2)), rng.normal((9, 0), 0.01, (30, 2))]
    labels = np.array([0] * 100 + [2] * 30)
    xy, names = np.concatenate(crowds), ["split", "none", "one"]
    placed = {name: (x, y) for name, x, y, _ in class_labels(xy, labels, names, whole(xy))}
    assert set(placed) == {"split", "one"}
    assert np.hypot(*np.subtract(placed["split"], (0, 0))) < 0.1
    assert np.hypot(*np.subtract(placed["one"], (9, 0))) < 0.1


def test_every_name_lies_within_a_cell_of_a_point_of_its_class_and_the_largest_crowd_comes_first():
    rng = np.random.default_rng(1)
    xy, labels = rng.random((4000, 2)), rng.choice(30, 4000, p=np.arange(1, 31) / 465)
    names = [str(k) for k in range(30)]
    found = class_labels(xy, labels, names, whole(xy))
    assert sorted(name for name, *_ in found) == sorted(names)
    for name, x, y, _ in found:
        assert np.abs(xy[labels == int(name)] - (x, y)).max(axis=1).min() <= 1 / CELLS
    assert int(found[0][0]) > int(found[-1][0])


def test_no_points_no_names():
    assert class_labels(np.empty((0, 2)), np.empty(0, int), ["a"], Bounds((0, 0), (1, 1))) == []


def test_a_name_stands_in_a_crowd_of_the_bulk_also_where_an_island_lies_far_off():
    rng = np.random.default_rng(2)
    crowds = [rng.normal((x, y), 0.01, (200, 2)) for x in range(5) for y in range(5)]
    xy = np.concatenate([*crowds, rng.normal((5000, 100), 0.01, (20, 2))])
    labels = np.repeat(np.arange(26), [200] * 25 + [20])
    labels[-20:] = 0  # the first class has an island
    found = {name: (x, y) for name, x, y, _ in class_labels(xy, labels, [f"c{k}" for k in range(26)], bulk(xy))}
    for number, crowd in enumerate(crowds):
        assert np.hypot(*(crowd.mean(axis=0) - found[f"c{number}"])) < 0.1


def test_a_long_name_is_cut_on_the_map_and_comes_whole_beside_it():
    xy, names = np.random.default_rng(3).random((40, 2)), ["x" * 200 + "1", "x" * 200 + "2"]
    found = class_labels(xy, np.arange(40) % 2, names, whole(xy))
    assert all(len(name) <= WIDEST for name, *_ in found) and len({name for name, *_ in found}) == 2
    assert sorted(name for *_, name in found) == names
