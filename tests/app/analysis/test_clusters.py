"""Flows between clusterings and orders of classes, worked by hand."""

import numpy as np

from app.analysis.clusters import block_order, flow_matrix, labels_at, most_spread

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
