"""How a recorded batch came together."""

import numpy as np

from app.views.negatives.batches import bag_groups, remembered


def test_a_bag_is_grouped_by_bucket_with_the_seed_first_and_the_fill_last():
    step = {
        "role": np.array([2, 2, 1, 1, 0, 0, 0, 0]),
        "bucket": np.array([-1, -1, 7, 7, 7, 7, 3, 3]),
    }
    groups = bag_groups(step, np.array([4, 4, 1, 1, 0, 0, 2, 2]))
    assert [group.bucket for group in groups] == [7, 3, -1]
    assert [rows.tolist() for rows in groups[0].classes] == [[4, 5], [2, 3]]
    assert bag_groups({"role": np.array([]), "bucket": np.array([])}, np.array([])) == []


def test_negatives_that_were_not_in_the_batch_came_out_of_the_memory():
    step = {"id": np.array([4, 7, 9]), "negative": np.array([7, 30, -1])}
    assert remembered(step).tolist() == [30]
    assert remembered({"id": np.array([4, 7]), "negative": np.array([7, 4])}).tolist() == []
