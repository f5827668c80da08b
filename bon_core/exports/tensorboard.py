"""The curves of a run as TensorBoard scalars, once or as long as the run is at work. Optional extra: tensorboard."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bon_core.base.files import whole_folder
from bon_core.config import InputError
from bon_core.exports.folders import folder_for
from bon_core.runs.run import Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILES = "events.out.tfevents.*"
NOT_CURVES = {"kind", "step", "seconds", "learner", "cluster"}  # numbers that name something, and the clock
POLL_S = 2.0  # seconds between two looks at a run at work


def write(run: Run, out: str, *, follow: bool = False) -> dict[str, Any]:
    """Write every number of the run's events into the folder `out`/RUN, in place of what an earlier export wrote there.

    Tags are train/..., clustering/..., and the name of the split for evaluations. The clock is that of the training, so
    that TensorBoard's relative time shows seconds of steps.

    follow : go on until the run has ended; a resumed run's new past takes the place of the old

    Raises
    ------
    InputError
        If TensorBoard is not installed, or the folder holds something else.
    """
    folder = folder_for(Path(out) / run.name, FILES)
    if follow:
        for old in folder.glob(FILES):
            old.unlink()
        count = _follow(run, folder)
    else:
        with whole_folder(folder) as temporary, _writer(run, temporary) as writer:
            count = _add(writer, run, run.events())
    return {"run": run.name, "scalars": count, "folder": str(folder), "open_with": f"tensorboard --logdir {out}"}


def scalars(event: dict[str, Any]) -> dict[str, float]:
    """The curves that an event has a point of: tag -> value."""
    group = {"step": "train", "evaluation": event.get("split", "test")}.get(event["kind"], event["kind"])
    return {
        f"{group}/{name}": value
        for name, value in event.items()
        if name not in NOT_CURVES and isinstance(value, int | float) and not isinstance(value, bool)
    }


def _follow(run: Run, folder: Path) -> int:
    written: list[dict[str, Any]] = []
    writer, count = _writer(run, folder), 0
    try:
        while True:
            at_work = run.status().active  # asked first: what it wrote at its very end is then read, too
            events = run.events()
            same = _same(written, events)
            if same < len(written):  # resumed: from that step on it lives again
                writer.close()
                writer = _writer(run, folder, forget_from=written[same]["step"])
            count += _add(writer, run, events[same:])
            writer.flush()
            written = events
            if not at_work:
                return count
            time.sleep(POLL_S)
    finally:
        writer.close()


def _same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> int:
    """How many events both lists begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _writer(run: Run, folder: Path, *, forget_from: int | None = None) -> "SummaryWriter":
    """A new event file; with `forget_from`, TensorBoard forgets what earlier files say of that step and later ones."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("TensorBoard is not installed; run: pip install tensorboard.") from error
    writer = SummaryWriter(str(folder), purge_step=forget_from)
    if forget_from is None:
        writer.add_text("config", f"```json\n{run.config.to_json()}\n```", walltime=run.status().created)
    return writer


def _add(writer: "SummaryWriter", run: Run, events: list[dict[str, Any]]) -> int:
    began, count = run.status().created, 0
    for event in events:
        for tag, value in scalars(event).items():
            writer.add_scalar(tag, value, event["step"], walltime=began + (event.get("seconds") or 0.0))
            count += 1
    return count
