"""What a training leaves besides snapshots, for the tiny run: an audit log of real batches, clusterings, a film."""

import json

import numpy as np

from bon_core.datasets.image_set import TRAIN
from bon_core.runs.audit import AuditLog
from bon_core.runs.run import Run
from tests.app.tiny import LEARNERS

STEPS = (0, 10, 20, 30)
MATES_BUCKET = 5
MOMENTS, IN_THE_FILM = (0, 20, 40), 30


def add_audit(run: Run) -> None:
    """Batches of 4 classes x 2 images: a seed, its bucket mate and two random fills, negatives across the classes."""
    snapshot = run.snapshot()
    rows = np.flatnonzero(np.asarray(snapshot.split) == TRAIN)
    labels, ids = np.asarray(snapshot.labels)[rows], np.asarray(snapshot.ids)[rows]
    log = AuditLog(run.path)
    for step in STEPS:
        batch = np.concatenate([ids[labels == label][step // 10 * 2 :][:2] for label in range(4)])
        log.add(
            step,
            {
                "phase": 0,
                "learner": -1,
                "id": batch,
                "role": np.repeat([0, 1, 2, 2], 2),
                "bucket": np.repeat([MATES_BUCKET, MATES_BUCKET, -1, -1], 2),
                "positive": batch.reshape(4, 2)[:, ::-1].ravel(),
                "negative": np.roll(batch, 2),
                "d_ap": np.tile([0.5, 0.2], 4),
                "d_an": np.tile([0.4, 0.9], 4),
                "active": np.tile([True, False], 4),
            },
        )
    log.flush()


def add_clusterings(run: Run) -> None:
    """Two clusterings of the training samples, the second with swapped names that matching undid, and two movers."""
    snapshot = run.snapshot()
    rows = np.flatnonzero(np.asarray(snapshot.split) == TRAIN)
    ids, now = np.asarray(snapshot.ids)[rows], np.asarray(snapshot.clusters)[rows].astype(np.int16)
    before = now.copy()
    before[:2] = 1 - before[:2]
    (run.path / "clusterings").mkdir()
    for step, aligned in ((20, before), (30, now)):
        np.savez(
            run.path / "clusterings" / f"step-{step:07d}.npz",
            step=step,
            ids=ids,
            raw=1 - aligned,
            aligned=aligned,
            kept=np.ones(len(ids), bool),
            centroids=np.zeros((LEARNERS, 4), np.float32),
            objective=0.5,
            confusion=np.zeros((LEARNERS, LEARNERS), np.int64),
        )
    with (run.path / "events.jsonl").open("a", encoding="utf-8") as events:
        for step, moved in ((20, None), (30, 2)):
            sizes = np.bincount(now, minlength=LEARNERS).tolist()
            raw = None if moved is None else len(ids) - 2
            when = {"kind": "clustering", "step": step, "epoch": step / 10}
            event = {**when, "sizes": sizes, "dropped": 0, "moved": moved, "moved_raw": raw}
            events.write(json.dumps(event) + "\n")


def add_timeline(run: Run) -> dict[str, np.ndarray]:
    """Three moments of thirty test samples, of which four turn right and one wrong at the last."""
    snapshot, rng = run.snapshot(), np.random.default_rng(0)
    rows = np.flatnonzero(np.asarray(snapshot.split) == 1)[:IN_THE_FILM]
    correct = np.zeros((3, IN_THE_FILM), bool)
    correct[:, 10:] = True
    correct[2, :4] = True
    correct[2, 10] = False
    recorded = {
        "steps": np.array(MOMENTS),
        "ids": np.asarray(snapshot.ids)[rows],
        "labels": np.asarray(snapshot.labels)[rows],
        "xy": rng.standard_normal((3, IN_THE_FILM, 2)).astype(np.float16),
        "projection": np.array("umap"),
        "correct": correct,
    }
    np.savez(run.timeline_path, **recorded)
    return recorded


def words(app) -> str:
    """All text of a page that a visitor can read, boards apart."""
    parts = [element.proto.body for element in app.get("html")]
    parts += [element.value for kind in (app.header, app.markdown) for element in kind]
    return "\n".join(parts)


def at(app, name: str) -> int:
    """The number `name` in the address of a page."""
    value = app.query_params[name]
    return int(value[0] if isinstance(value, list) else value)
