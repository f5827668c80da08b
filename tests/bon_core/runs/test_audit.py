import numpy as np
import pytest

from bon_core.config import InputError
from bon_core.runs.audit import AuditLog, audit_steps, mined_pairs, read_step


def columns(step: int, rows: int = 4) -> dict:
    return {
        "phase": 1,
        "learner": 2,
        "id": np.arange(rows) + 100 * step,
        "role": np.array([0, 1, 1, 2]),
        "bucket": np.full(rows, 7),
        "positive": np.arange(rows) + 1,
        "negative": np.array([9, -1, 8, 7]),
        "d_ap": np.full(rows, 0.25),
        "d_an": np.full(rows, step / 10),
        "active": np.array([True, False, True, True]),
    }


def test_every_recorded_step_is_replayed(tmp_path):
    log = AuditLog(tmp_path, part_steps=3)
    for step in range(0, 14, 2):
        log.add(step, columns(step))
    log.flush()
    assert audit_steps(tmp_path).tolist() == list(range(0, 14, 2))
    for step in (0, 4, 12):
        replayed = read_step(tmp_path, step)
        for name, expected in columns(step).items():
            assert np.allclose(replayed[name], expected), name
    for step in (1, 14, -1):
        with pytest.raises(InputError, match="was not recorded"):
            read_step(tmp_path, step)


def test_pairs_leave_out_anchors_without_a_negative(tmp_path):
    log = AuditLog(tmp_path)
    for step in (3, 4):
        log.add(step, columns(step))
    log.flush()
    pairs = mined_pairs(tmp_path)
    assert pairs["negative"].tolist() == [9, 8, 7, 9, 8, 7]
    assert pairs["anchor"].tolist() == [300, 302, 303, 400, 402, 403]
    assert mined_pairs(tmp_path, last_steps=1)["step"].tolist() == [4, 4, 4]


def test_rewinding_forgets_the_steps_from_there_on(tmp_path):
    log = AuditLog(tmp_path)
    for step in range(4):
        log.add(step, columns(step))
        if step % 2:
            log.flush()  # as at a checkpoint
    log.add(4, columns(4))
    log.rewind(2)
    log.flush()
    assert audit_steps(tmp_path).tolist() == [0, 1]


def test_an_unreadable_part_is_a_sentence(tmp_path):
    assert audit_steps(tmp_path).tolist() == []
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "part-0000000.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="cannot be read"):
        audit_steps(tmp_path)
