"""Flows between clusterings and orders of classes, worked by hand."""

import numpy as np
import pytest

from app.views.clusters.flows import (
    Phase,
    block_order,
    flow_matrix,
    labels_at,
    largest_moves,
    most_spread,
    phases,
    specialists,
)

COUNTS = np.array([[0, 4], [4, 0], [2, 2], [3, 1]])


def test_flows_count_who_went_where():
    flows = flow_matrix(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), 3)
    assert flows.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_blocks_stand_together_the_loyal_first():
    assert block_order(COUNTS).tolist() == [1, 3, 2, 0]


def test_most_spread_classes_by_entropy():
    assert most_spread(COUNTS, 1).tolist() == [2]
    assert most_spread(COUNTS, 2).tolist() == [2, 3]


def test_labels_are_found_by_id_and_missing_ones_marked():
    known_ids, known = np.array([30, 10, 20]), np.array([2, 0, 1], np.int16)
    assert labels_at(np.array([10, 30, 99, 5]), known_ids, known).tolist() == [0, 2, -1, -1]
    assert labels_at(np.array([10]), known_ids[:0], known[:0]).tolist() == [-1]


def test_phases_follow_one_another_without_a_gap():
    steps = [(0, "joint"), (10, "joint"), (20, "split"), (30, "clustered"), (40, "split"), (50, "split")]
    found = phases({"step": step, "phase": name} for step, name in steps)
    assert found == [Phase("joint", 0, 20), Phase("split", 20, 30), Phase("clustered", 30, 40), Phase("split", 40, 50)]
    assert phases([]) == []


def test_the_largest_moves_leave_out_who_stayed():
    flows = np.array([[90, 3, 0], [5, 80, 0], [0, 7, 70]])
    assert largest_moves(flows, 2) == [(2, 1), (1, 0)]
    assert largest_moves(flows, 9) == [(2, 1), (1, 0), (0, 1)]
    assert largest_moves(np.diag([4, 5]), 3) == []


def test_specialists_are_compared_with_the_others_on_the_same_cluster():
    assert specialists(np.array([[0.9, 0.5], [0.6, 0.7]])) == pytest.approx((0.3 + 0.2) / 2)
    assert specialists(np.array([[0.9, np.nan], [0.6, np.nan]])) == pytest.approx(0.3)
    assert np.isnan(specialists(np.array([[0.9]])))
