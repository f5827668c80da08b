"""Retrieval by hand: order, ranks by learner, parts that add up, confusions and failures."""

import numpy as np
import pytest

from app.analysis.retrieval import confusions, failures, place_among, retrieve
from bon_core.division.slices import block_masks


def test_the_parts_add_up_and_ranks_tell_which_learner_brought_it():
    query = np.array([1, 0, 1, 0], np.float32) / np.sqrt(2)
    first_only = np.array([1, 0, 0, 1], np.float32) / np.sqrt(2)  # agrees in the first slice
    second_only = np.array([-1, 0, 1, 0], np.float32) / np.sqrt(2)  # agrees in the second, opposite in the first
    found = retrieve(np.stack([second_only, query, first_only]), query, block_masks(query.size, 2), k=5, leave_out=1)
    assert [neighbour.row for neighbour in found] == [2, 0]
    assert found[0].distance == pytest.approx(1)
    assert found[0].parts == pytest.approx([0, 1])
    assert found[0].ranks.tolist() == [1, 2]
    assert found[1].parts == pytest.approx([2, 0])
    assert found[1].ranks.tolist() == [2, 1]
    for neighbour in found:
        assert neighbour.parts.sum() == pytest.approx(neighbour.distance**2)


def test_an_upload_leaves_nobody_out():
    vectors = np.eye(3, dtype=np.float32)
    assert len(retrieve(vectors, vectors[0], block_masks(vectors.shape[1], 1), k=5)) == 3


def test_a_new_sample_lies_among_its_neighbours_nearer_to_the_nearer():
    xy = np.array([[0.0, 0.0], [3.0, 0.0]])
    assert place_among(xy, np.array([1.0, 1.0])) == pytest.approx([1.5, 0])
    assert place_among(xy, np.array([1.0, 2.0])) == pytest.approx([0.6, 0])  # weights 1 and 1/4
    assert place_among(xy, np.array([0.0, 1.0])) == pytest.approx([0, 0], abs=1e-6)


def test_confusions_count_both_ways_and_show_the_worst():
    labels = np.array([0, 0, 1, 1, 2, 2])
    nearest = np.array([2, 1, 0, 3, 0, 5])
    hardness = np.array([0.1, -1, 0.3, -1, 0.2, -1], np.float32)
    first, second = confusions(labels, nearest, hardness)
    assert (first.one, first.other, first.count, first.query, first.found) == (0, 1, 2, 2, 0)
    assert (second.one, second.other, second.count, second.query, second.found) == (0, 2, 1, 4, 0)
    assert confusions(labels, np.array([1, 0, 3, 2, 5, 4]), hardness) == []


def test_failures_are_the_wrong_ones_worst_first():
    correct = np.array([True, False, False, True])
    assert failures(correct, np.array([9, 0.1, 0.2, 9.0])).tolist() == [2, 1]
    assert len(failures(np.ones(3, bool), np.zeros(3))) == 0
