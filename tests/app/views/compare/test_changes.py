"""Comparing two embeddings: hand-worked cases, and a slow twin with sets."""

import itertools
import math

import numpy as np
import pytest

from app.views.compare.changes import Comparison, Side, class_changes, compare, p_words, sign_flip_p, superimpose, turns


def side(ids, classes, neighbours) -> Side:
    return Side(np.array(ids, np.int64), np.array(list(classes)), np.array(neighbours, np.int64))


def random_side(ids: np.ndarray, classes: np.ndarray, k: int, seed: int) -> Side:
    rng = np.random.default_rng(seed)
    near = np.stack([rng.permutation(ids[ids != identity])[:k] for identity in ids])
    return Side(ids, classes, near)


def test_by_hand():
    one = side([1, 2, 3, 4], "AABB", [[2, 3, 4], [1, 3, 4], [4, 1, 2], [2, 3, 1]])
    other = side([4, 3, 2, 1], "BBAA", [[3, 1, 2], [1, 2, 4], [1, 4, 3], [2, 3, 4]])
    found = compare(one, other, k=2)
    assert found.ids.tolist() == [1, 2, 3, 4]
    assert [places.tolist() for places in found.places] == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert found.right[0].tolist() == [1, 1, 1, 0] and found.right[1].tolist() == [1, 1, 0, 1]
    assert found.kept.tolist() == [1, 0.5, 0.5, 0.5]
    assert found.turned(right=True).tolist() == [3] and found.turned(right=False).tolist() == [2]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_slow_twin_on_sides_that_overlap_in_part(seed):
    rng = np.random.default_rng(seed)
    everybody = rng.permutation(900)[:60]
    classes = dict(zip(everybody.tolist(), rng.choice(list("ABCDE"), 60), strict=True))
    sides = []
    for number in range(2):
        ids = rng.permutation(everybody)[: 45 - 10 * number]
        sides.append(random_side(ids, np.array([classes[i] for i in ids.tolist()]), 8, seed + number))
    found = compare(*sides, k=5)
    common = sorted(set(sides[0].ids.tolist()) & set(sides[1].ids.tolist()))
    assert found.ids.tolist() == common
    for place, identity in enumerate(common):
        near = []
        for number, each in enumerate(sides):
            row = each.ids.tolist().index(identity)
            assert found.places[number][place] == row
            near.append([i for i in each.neighbours[row].tolist() if i in common])
            first = float(classes[near[-1][0]] == classes[identity]) if near[-1] else np.nan
            np.testing.assert_equal(float(found.right[number][place]), first)
        m = min(len(near[0]), len(near[1]), 5)
        expected = len(set(near[0][:m]) & set(near[1][:m])) / m if m else np.nan
        assert found.kept[place] == pytest.approx(expected, nan_ok=True)


def test_the_same_id_of_another_class_is_another_sample():
    one = side([1, 2, 3], "AAB", [[2, 3], [1, 3], [1, 2]])
    other = side([1, 2, 3], "AXB", [[2, 3], [1, 3], [2, 1]])
    found = compare(one, other, k=2)
    assert found.ids.tolist() == [1, 3]
    assert found.kept.tolist() == [1, 1]


def test_who_is_alone_in_its_class_is_neither_right_nor_wrong():
    one = side([1, 2, 3], "AAB", [[2, 3], [1, 3], [1, 2]])
    found = compare(one, one, k=2)
    np.testing.assert_array_equal(found.right, [[1, 1, np.nan]] * 2)
    assert [change.name for change in class_changes(one.classes, found.right)] == ["A"]


def test_nothing_in_common():
    found = compare(side([1, 2], "AA", [[2], [1]]), side([3, 4], "AA", [[4], [3]]), k=3)
    assert len(found.ids) == len(found.kept) == len(found.turned(right=True)) == 0


def test_an_embedding_agrees_with_itself_and_swapping_sides_swaps_what_turned():
    ids = np.arange(50)
    classes = np.array(list("ABCDE"))[ids % 5]
    one, other = random_side(ids, classes, 10, 0), random_side(ids, classes, 10, 1)
    assert (compare(one, one, k=10).kept == 1).all()
    there, back = compare(one, other, k=10), compare(other, one, k=10)
    assert np.array_equal(there.kept, back.kept)
    assert np.array_equal(there.turned(right=True), back.turned(right=False))


def test_class_changes_are_sorted_and_leave_out_what_is_unknown():
    classes = np.array(list("AABBBCC"))
    before = np.array([0, 0, 1, 1, 1, 0, np.nan], np.float32)
    after = np.array([1, 0, 1, 0, 0, 1, 1], np.float32)
    found = class_changes(classes, (before, after))
    assert [(change.name, change.count) for change in found] == [("C", 1), ("A", 2), ("B", 3)]
    assert [round(change.gain, 3) for change in found] == [1, 0.5, -0.667]


@pytest.mark.parametrize("mirror", [1, -1])
def test_superimpose_undoes_turn_mirror_scale_and_shift_and_moves_all(mirror):
    xy = np.random.default_rng(0).standard_normal((40, 2))
    angle = 2.3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = 3 * (xy @ turn) * [mirror, 1] + [5, -2]
    at = np.arange(0, 40, 3)
    back, fit = superimpose(moved, at, xy[at])
    np.testing.assert_allclose(back, xy, atol=1e-4)
    assert fit == pytest.approx(1)


def test_no_turn_and_no_scale_comes_closer_than_superimpose():
    rng = np.random.default_rng(1)
    xy, targets = rng.standard_normal((30, 2)), rng.standard_normal((30, 2))
    back, fit = superimpose(xy, np.arange(30), targets)
    left = np.square(back - targets).sum()
    assert fit == pytest.approx(1 - left / np.square(targets - targets.mean(axis=0)).sum(), abs=1e-5)
    for angle in np.linspace(0, 6.2, 40):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for scale in (0.5, 0.9, 1.1, 2):
            tried = (back - back.mean(axis=0)) @ turn * scale + back.mean(axis=0)
            assert np.square(tried - targets).sum() >= left - 1e-4


def test_a_map_of_one_place_stays():
    xy = np.ones((5, 2))
    back, fit = superimpose(xy, np.arange(5), np.random.default_rng(0).standard_normal((5, 2)))
    assert np.array_equal(back, xy) and fit == 0


def weighed(right: int, wrong: int):
    before = np.repeat([0.0, 1.0, 1.0, np.nan], [right, wrong, 5, 3]).astype(np.float32)
    after = np.repeat([1.0, 0.0, 1.0, 1.0], [right, wrong, 5, 3]).astype(np.float32)
    ids = np.arange(len(before))
    return turns(Comparison(ids, (ids, ids), (before, after), before), ids.astype(str))  # each alone in its class


@pytest.mark.parametrize(("right", "wrong"), [(414, 350), (350, 414), (0, 9), (9, 0), (5, 4), (1, 0), (7, 7), (60, 20)])
def test_mcnemars_mid_p_is_that_of_the_binomial_law(right, wrong):
    """Twice the chance of fewer, and that of as many once."""
    n, fewer = right + wrong, min(right, wrong)
    chance = [math.comb(n, k) / 2**n for k in range(n + 1)]
    expected = min(2 * sum(chance[:fewer]) + chance[fewer], 1)
    found = weighed(right, wrong)
    assert (found.right, found.wrong) == (right, wrong)
    assert found.independent == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gains", [[5, -2, 1], [3, 3, 3], [4], [-4, 4], [7, 0, 1, 1, -2, 6], [12, 3, -9, 5, 5, 1, -1]])
def test_the_p_by_class_is_that_of_all_sign_patterns(gains):
    """[5, -2, 1] sums to 4: of the 8 patterns, +-8, +-6 and +-4 are as far from 0, so 6 / 8."""
    sums = [np.dot(signs, gains) for signs in itertools.product((1, -1), repeat=len(gains))]
    expected = np.mean(np.abs(sums) >= abs(sum(gains)))
    assert sign_flip_p(np.array(gains)) == pytest.approx(expected, abs=1e-12)
    assert gains != [5, -2, 1] or expected == 0.75


def test_queries_that_turn_by_classes_are_weighed_by_classes():
    """Three classes of 20 that turn as one, two right and one wrong: by queries more than chance, by classes not."""
    classes = np.repeat(["A", "B", "C", "D"], [20, 20, 20, 5])
    before = np.repeat([0.0, 0.0, 1.0, 1.0], [20, 20, 20, 5]).astype(np.float32)
    after = np.repeat([1.0, 1.0, 0.0, 1.0], [20, 20, 20, 5]).astype(np.float32)
    order = np.random.default_rng(0).permutation(65)
    places = (np.arange(65),) * 2
    found = turns(Comparison(places[0], places, (before[order], after[order]), before), classes[order])
    assert found.independent < 0.05 and found.p == pytest.approx(1)
    assert found.words == "40 queries got right, 20 got wrong: could be chance, p = 1.00."


@pytest.mark.parametrize("classes", [2000, 5000])
def test_the_p_by_class_of_many_classes_is_near_the_normal_law(classes):
    gains = np.random.default_rng(3).integers(-9, 10, classes)
    z = abs(gains.sum()) / np.sqrt(np.square(gains).sum())
    assert sign_flip_p(gains) == pytest.approx(math.erfc(z / math.sqrt(2)), abs=0.01)


def test_a_p_at_the_verdict_is_told_from_it():
    assert [p_words(p) for p in (0.0004, 0.0042, 0.0496, 0.0504, 0.034)] == [
        *("p < 0.001", "p = 0.004", "p = 0.050", "p = 0.050", "p = 0.03")
    ]


def test_what_turned_is_said_in_plain_words():
    assert weighed(414, 350).words == "414 queries got right, 350 got wrong: more than chance, p = 0.02."
    assert weighed(1, 4).words == "1 query got right, 4 got wrong: could be chance, p = 0.37."
    assert weighed(400, 100).words.endswith("more than chance, p < 0.001.")
    assert weighed(60, 33).words.endswith("more than chance, p = 0.007.")
    assert weighed(0, 0).words == "No query turned right or wrong."
