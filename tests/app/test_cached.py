"""What pages share, by sample ids: they are neither sorted nor dense in the tiny run, so positions would show."""

import numpy as np

from app import cached
from app.view import View
from bon_core.runs.audit import mined_pairs
from tests.app.records import add_audit


def test_the_evidence_of_the_audit_log_reaches_the_samples_it_is_about(tiny_run):
    add_audit(tiny_run)
    view = View(tiny_run, tiny_run.snapshot(), "train", "cluster")
    found = cached.suspicion(view)
    mined, label_of = mined_pairs(tiny_run.path), dict(zip(*np.array([view.ids, _labels(view)]).tolist(), strict=True))
    nearer = mined["d_ap"] - mined["d_an"]
    for place, identity in enumerate(view.ids.tolist()):
        pairs = [
            (other, excess)
            for a, n, excess in zip(mined["anchor"].tolist(), mined["negative"].tolist(), nearer, strict=True)
            for one, other in ((a, n), (n, a))
            if one == identity and label_of[other] == found.suspected[place]
        ]
        assert found.met[place] == len(pairs)
        assert found.harder[place] == sum(excess > 0 for _, excess in pairs)
        assert _labels(view)[found.witness[place]] == found.suspected[place]
    assert found.met.any()


def test_a_split_without_records_is_judged_by_its_neighbours_alone(tiny_run):
    add_audit(tiny_run)
    found = cached.suspicion(View(tiny_run, tiny_run.snapshot(), "test", "cluster"))
    assert not found.met.any() and not found.excess.any()
    assert found.vote.max() > 0


def _labels(view):
    return np.asarray(view.snapshot.labels)[view.rows]
