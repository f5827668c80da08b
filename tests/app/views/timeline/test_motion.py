"""What a film is made of."""

import numpy as np

from app.views.timeline.motion import gathered, phases, turned


def test_phases_are_stretches_that_meet():
    found = phases([0, 10, 20, 30, 40], ["joint", "joint", "split", "split", "joint"], 55)
    assert found == [(0, 20, "joint"), (20, 40, "split"), (40, 55, "joint")]


def test_turned_by_hand():
    correct = np.array([[0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0]], bool)
    assert turned(correct, 0, 1, right=True).tolist() == [0]
    assert turned(correct, 0, 1, right=False).tolist() == [2]
    assert turned(correct, 0, 2, right=True).tolist() == [0, 1]


def test_gathered_names_classes_that_drew_together_at_different_places():
    rng = np.random.default_rng(0)
    labels = np.repeat([3, 5, 7, 9, 11], [10, 10, 10, 2, 10])
    first, last = rng.uniform(-1, 1, (42, 2)), np.zeros((42, 2))
    places = {3: (0.9, 0.9), 5: (0.88, 0.9), 7: (-0.9, 0.0), 9: (0.0, -0.9)}  # 3 and 5 end in one place, 9 is small
    for label, at in places.items():
        last[labels == label] = at
    last[labels == 11] = first[labels == 11]  # never draws together
    found = gathered(np.stack([first, last]), labels, count=2).tolist()
    assert 7 in found and len({3, 5} & set(found)) == 1
    assert 9 not in gathered(np.stack([first, last]), labels, count=5)
    assert gathered(np.stack([first, last]), labels, count=5).tolist()[-1] == 11
