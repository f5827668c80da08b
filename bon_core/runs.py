"""The run directory: where a training writes what it did, and where everything that looks at it reads.

NAME/
  config.json      the RunConfig
  status.json      state, step, process: rewritten whole every second or so
  events.jsonl     one line an event: step, evaluation, clustering, message
  checkpoint.safetensors   all that resuming needs
  model.safetensors        the weights alone, at the end
  audit/           which samples met in which step, as Parquet parts
  clusterings/     one .npz a clustering of the training set
  previews/        one small .npz a live map
  timeline.npz     all moments of the training as maps that follow one another
  snapshots/       one folder a snapshot, see bon_core/snapshot.py
"""

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bon_core.config import InputError, RunConfig, check
from bon_core.files import whole_folder, write_text
from bon_core.snapshot import Snapshot

MODELS = Path(__file__).resolve().parent.parent / "models"
NAME_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STOP_FILE = "stop-requested"

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


def runs_folder() -> Path:
    """Where new runs go: BON_RUNS if set, else models/runs."""
    return Path(os.environ.get("BON_RUNS") or MODELS / "runs")


def check_name(name: str) -> str:
    """`name` if it can name a run.

    Raises
    ------
    InputError
        If it could be a path or would be awkward to type.
    """
    check(
        NAME_RULE.fullmatch(name) is not None and ".." not in name,
        f"The run name {name!r} is not possible; use up to 64 letters, digits, dots, dashes and underscores,"
        " starting with a letter or digit.",
    )
    return name


@dataclass(frozen=True)
class Run:
    """One run directory. Reading never changes it; the training process alone writes."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def bundled(self) -> bool:
        return self.path.parent == MODELS

    @property
    def config(self) -> RunConfig:
        return RunConfig.from_json((self.path / "config.json").read_text(encoding="utf-8"))

    def status(self) -> Status:
        """The state now; a run whose process is gone without having said goodbye is "interrupted"."""
        status = Status(**json.loads((self.path / "status.json").read_text(encoding="utf-8")))
        if status.active and not _alive(status):
            return replace(
                status,
                state="interrupted",
                seconds_left=None,
                message="The training process ended without a word; continue it with --resume.",
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
        """All events, oldest first, or those of one kind. A torn last line, as a kill leaves it, is skipped."""
        path = self.path / "events.jsonl"
        if not path.exists():
            return []
        found = []
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    event = json.loads(line)
                    if kind is None or event["kind"] == kind:
                        found.append(event)
        return found

    def snapshots(self) -> list[int]:
        """Steps of which there is a snapshot, ascending."""
        return sorted(int(path.name.removeprefix("step-")) for path in (self.path / "snapshots").glob("step-*"))

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

    def clusterings(self) -> list[dict[str, np.ndarray]]:
        """Every clustering, oldest first: step, ids, raw, aligned, kept, centroids, objective, confusion."""
        return [_arrays(path) for path in sorted((self.path / "clusterings").glob("step-*.npz"))]

    def previews(self) -> list[int]:
        """Steps of which there is a live map, ascending."""
        return sorted(int(path.stem.removeprefix("step-")) for path in (self.path / "previews").glob("step-*.npz"))

    def preview_path(self, step: int) -> Path:
        return self.path / "previews" / f"step-{step:07d}.npz"

    def preview(self, step: int) -> dict[str, np.ndarray]:
        """A live map of n held-out samples, always the same ones: step, ids, labels, xy by PCA, and, unless it is of
        an older version, neighbours and distances (n, k) among them and correct (n,), which looks at all held-out ones.
        """
        return _arrays(self.preview_path(step))

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
            return _arrays(self.timeline_path)
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


def new_path(name: str, *, folder: Path | None = None) -> Path:
    """Where a new run of that name goes.

    Raises
    ------
    InputError
        If the name is not possible or taken.
    """
    path = (folder or runs_folder()) / check_name(name)
    check(
        not path.exists(),
        f"There is already a run named {name}; choose another name, or continue that one with --resume.",
    )
    return path


def create(name: str, config: RunConfig, *, folder: Path | None = None) -> Run:
    """A new run directory with its config and a "queued" status, made in one step.

    Raises
    ------
    InputError
        If the name is not possible or taken, or the folder cannot be written to.
    """
    path = new_path(name, folder=folder)
    try:
        with whole_folder(path) as temporary:
            (temporary / "config.json").write_text(config.to_json(), encoding="utf-8")
            Run(temporary).write_status(Status(state="queued", created=time.time(), **this_process()))
    except OSError as error:
        raise InputError(
            f"The run {path} cannot be made ({error.strerror}); choose a folder that can be written to."
        ) from error
    return Run(path)


def open_run(name: str, *, folder: Path | None = None) -> Run:
    """The run of that name: the user's own before a bundled one.

    Raises
    ------
    InputError
        If there is none, with the names that exist.
    """
    check_name(name)
    for parent in (folder or runs_folder(), MODELS):
        if (parent / name / "config.json").exists():
            return Run(parent / name)
    names = ", ".join(run.name for run in list_runs(folder=folder)) or "none yet"
    raise InputError(f"There is no run named {name}; there are: {names}.")


def list_runs(*, folder: Path | None = None) -> list[Run]:
    """The user's runs, newest first, then the bundled ones."""
    own = [Run(path.parent) for path in (folder or runs_folder()).glob("[!.]*/config.json")]
    bundled = [Run(path.parent) for path in MODELS.glob("*/config.json")]
    own.sort(key=lambda run: (run.path / "config.json").stat().st_mtime, reverse=True)
    return own + sorted(bundled, key=lambda run: run.name)


def waiting_before(run: Run) -> Iterator[Run]:
    """Runs in the same folder that came earlier and still wait or work: a queued run starts when there are none."""
    mine = run.status().created
    for other in list_runs(folder=run.path.parent):
        if other.path != run.path and not other.bundled:
            status = other.status()
            if status.active and (status.created, other.name) < (mine, run.name):
                yield other


def this_process() -> dict[str, Any]:
    """The fields of a Status that name this process, its start time included: numbers are re-used, pairs are not."""
    import psutil

    return {"process": os.getpid(), "process_started": psutil.Process().create_time()}


def _alive(status: Status) -> bool:
    import psutil

    try:
        process = psutil.Process(status.process)
        same = abs(process.create_time() - (status.process_started or 0)) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
