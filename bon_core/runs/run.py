"""The run directory: where a training writes what it did, and where everything that looks at it reads.

NAME/
  config.json      the RunConfig
  status.json      state, step, process: rewritten whole every second or so
  events.jsonl     one line an event: step, evaluation, clustering, message; what a resumed run lives again is cut off
  log.jsonl        one line for whatever a process did with the run: started, resumed, saved, failed; never cut
  lock             held by the process that writes
  checkpoint.safetensors   all that resuming needs
  model.safetensors        the weights alone, at the end
  images.npz       pictures that came with embeddings, see bon_core/explorer.py
  audit/           which samples met in which step, as Parquet parts
  clusterings/     one .npz a clustering of the training set
  previews/        one small .npz a live map
  timeline.npz     all moments of the training as maps that follow one another
  snapshots/       one folder a snapshot, see bon_core/snapshot.py
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from bon_core.base import paths
from bon_core.base.files import is_number, json_of, read_lines, read_npz, read_text, write_text
from bon_core.config import InputError, RunConfig, check
from bon_core.runs.snapshot import Snapshot

NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STEP_RULE = re.compile(r"step-(\d{7,})(\.npz)?", re.ASCII)
LARGEST_SETTINGS = 1 << 20  # bytes of config.json and status.json
LATEST = 32503680000.0  # seconds since the epoch: the year 3000
EVENT_TEXTS = {"kind", "phase", "split", "search", "protocol", "text"}
EVENT_NUMBERS = {  # kind -> what is taken for granted where it is shown
    "step": ("epoch", "loss", "active", "mining_ms", "step_ms", "images_per_second"),
    "evaluation": ("epoch", "recall@1", "map@r"),
    "clustering": ("epoch",),
}
STOP_FILE = "stop-requested"
WEIGHTS = "model.safetensors"
IMAGES = "images.npz"  # of a run made of embeddings that came with pictures: an ImageSet
LOG_FILE, LOCK_FILE = "log.jsonl", "lock"

State = Literal["queued", "running", "finished", "stopped", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Status:
    """What a run is doing. Times are seconds since the epoch; `message` is a sentence for people."""

    state: State
    step: int = 0
    steps: int = 0
    created: float = 0.0
    updated: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    process: int | None = None
    process_started: float | None = None

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")


@dataclass(frozen=True)
class Run:
    """One run directory. Reading never changes it; the training process alone writes."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def bundled(self) -> bool:
        return self.path.parent == paths.MODELS

    @property
    def checkpoint(self) -> Path:
        """Where a training writes all that resuming needs; there is none before the first."""
        return self.path / "checkpoint.safetensors"

    @property
    def config(self) -> RunConfig:
        """What decides the run.

        Raises
        ------
        InputError
            If config.json is missing or no config.
        """
        return RunConfig.from_json(read_text(self.path / "config.json", most=LARGEST_SETTINGS))

    def status(self) -> Status:
        """The state now. A run whose process is gone without having said goodbye is "interrupted"; one whose
        status.json is missing or no status is "failed", with a sentence.
        """
        try:
            status = _status(read_text(self.path / "status.json", most=LARGEST_SETTINGS))
        except InputError as error:
            return Status(state="failed", message=str(error))
        if status.active and not _alive(status):
            return replace(
                status,
                state="interrupted",
                seconds_left=None,
                message="The training process ended without a word.",
            )
        return status

    def write_status(self, status: Status) -> None:
        write_text(self.path / "status.json", json.dumps(asdict(replace(status, updated=time.time()))))

    def request_stop(self) -> None:
        """Ask the training process to write a checkpoint and end; it looks once a step."""
        (self.path / STOP_FILE).touch()

    def stop_requested(self) -> bool:
        return (self.path / STOP_FILE).exists()

    def clear_stop(self) -> None:
        (self.path / STOP_FILE).unlink(missing_ok=True)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All events, oldest first, or those of one kind. What is no whole event, as a kill leaves it, is skipped.

        Raises
        ------
        InputError
            If events.jsonl is no file that can be read.
        """
        events = read_lines(self.path / "events.jsonl")
        return [event for event in events if kind in (None, event.get("kind")) and _is_event(event)]

    def log(self, what: str, **values: Any) -> None:
        """Add a line to the log: when, by which process, what. A log that cannot be written stops nobody."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "process": os.getpid(), "what": what}
        line = json.dumps({**entry, **values}, ensure_ascii=False, default=str) + "\n"
        with contextlib.suppress(OSError), (self.path / LOG_FILE).open("ab") as file:
            file.write(line.encode("utf-8", "backslashreplace"))

    def logged(self) -> list[dict[str, Any]]:
        """The lines of the log, oldest first; raises InputError if it is no file that can be read."""
        return read_lines(self.path / LOG_FILE)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only process that writes this run; a claim ends with its process, however that ends.

        Raises
        ------
        InputError
            If another process has claimed it, or its directory cannot be written to.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / LOCK_FILE)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"Run {self.name} is at work in another process; stop that one first, or let it finish."
            ) from error
        except OSError as error:
            raise InputError(
                f"The run {self.path} cannot be written to ({error.strerror or error}); give it write access."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def snapshots(self) -> list[int]:
        """Steps of which there is a snapshot, ascending."""
        return _steps((self.path / "snapshots").glob("step-*"))

    def snapshot_path(self, step: int) -> Path:
        return self.path / "snapshots" / f"step-{step:07d}"

    def snapshot(self, step: int | None = None) -> Snapshot:
        """The snapshot of `step`, or the newest.

        Raises
        ------
        InputError
            If there is none, or its files are cut short.
        """
        steps = self.snapshots()
        check(bool(steps), f"Run {self.name} has no snapshot yet; make one with: snapshot --run {self.name}.")
        step = steps[-1] if step is None else step
        check(
            step in steps,
            f"Run {self.name} has no snapshot of step {step}; it has {', '.join(map(str, steps))}.",
        )
        return Snapshot.open(self.snapshot_path(step))

    def clustering_path(self, step: int) -> Path:
        return self.path / "clusterings" / f"step-{step:07d}.npz"

    def clustering_steps(self) -> list[int]:
        """Steps at which the training set was clustered, ascending."""
        return _steps((self.path / "clusterings").glob("step-*.npz"))

    def clusterings(self) -> list[dict[str, np.ndarray]]:
        """Every clustering, oldest first: step, ids, raw, aligned, kept, centroids, objective, confusion."""
        return [read_npz(self.clustering_path(step)) for step in self.clustering_steps()]

    def previews(self) -> list[int]:
        """Steps of which there is a live map, ascending."""
        return _steps((self.path / "previews").glob("step-*.npz"))

    def preview_path(self, step: int) -> Path:
        return self.path / "previews" / f"step-{step:07d}.npz"

    def preview(self, step: int) -> dict[str, np.ndarray]:
        """A live map of n held-out samples, always the same ones: step, ids, labels, xy by PCA, and, unless it is of
        an older version, neighbours and distances (n, k) among them and correct (n,), which looks at all held-out ones.
        """
        return read_npz(self.preview_path(step))

    def newest_preview(self) -> dict[str, np.ndarray] | None:
        """The newest live map; None before the first."""
        steps = self.previews()
        return self.preview(steps[-1]) if steps else None

    @property
    def timeline_path(self) -> Path:
        return self.path / "timeline.npz"

    def timeline(self) -> dict[str, np.ndarray] | None:
        """How n held-out samples lay at F moments; None if no moment was recorded.

        steps (F,), ids and labels (n,), xy (F, n, 2), projection "umap", or "pca" as long as the live maps are all
        there is, and correct (F, n) unless those are of an older version.
        """
        if self.timeline_path.exists():
            return read_npz(self.timeline_path)
        steps = self.previews()
        if not steps:
            return None
        moments = [self.preview(step) for step in steps]
        found = {
            "steps": np.array(steps),
            "ids": moments[0]["ids"],
            "labels": moments[0]["labels"],
            "xy": np.stack([moment["xy"] for moment in moments]),
            "projection": np.array("pca"),
        }
        if all("correct" in moment for moment in moments):
            found["correct"] = np.stack([moment["correct"] for moment in moments])
        return found


def this_process() -> dict[str, Any]:
    """The fields of a Status that name this process, its start time included: numbers are re-used, pairs are not."""
    import psutil

    return {"process": os.getpid(), "process_started": psutil.Process().create_time()}


def seconds_alive() -> float:
    """How long this process has been there."""
    import psutil

    return max(time.time() - psutil.Process().create_time(), 0.0)


def _alive(status: Status) -> bool:
    import psutil

    try:
        process = psutil.Process(status.process)
        same = abs(process.create_time() - (status.process_started or 0)) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _status(text: str) -> Status:
    """A status out of JSON, each field of the type that it has in the class."""
    try:
        known = {field.name for field in fields(Status)}
        status = Status(**{name: value for name, value in json_of(text).items() if name in known})
        times = (status.created, status.updated, status.seconds_left or 0.0, status.process_started or 0.0)
        whole = (status.step, status.steps, status.process or 0)
        valid = status.state in get_args(State) and isinstance(status.message, str)
        valid &= all(is_number(value) and abs(value) <= LATEST for value in times)
        valid &= all(type(value) is int and 0 <= value < 2**31 for value in whole)
    except (ValueError, TypeError, AttributeError):
        valid = False
    check(valid, "The run's status.json is no status; restore the file, or delete the run.")
    return status


def _is_event(event: dict[str, Any]) -> bool:
    """Whether everything in it is of the type that those who show it rely on."""
    step, kind = event.get("step"), event.get("kind")
    if type(step) is not int or not 0 <= step < 2**53 or not isinstance(kind, str):
        return False
    return all(_is_plain(value, text=name in EVENT_TEXTS) for name, value in event.items())


def is_complete(event: dict[str, Any]) -> bool:
    """Whether an event holds all that is taken for granted where it is shown."""
    return all(is_number(event.get(name)) for name in EVENT_NUMBERS.get(event["kind"], ()))


def _is_plain(value: Any, *, text: bool) -> bool:
    if isinstance(value, list):
        return all(map(is_number, value))
    return value is None or isinstance(value, bool) or (isinstance(value, str) if text else is_number(value))


def _steps(paths: Iterable[Path]) -> list[int]:
    """The steps in names like step-0000040 or step-0000040.npz, ascending; other names are passed over."""
    return sorted(int(found[1]) for path in paths if (found := STEP_RULE.fullmatch(path.name)))
