"""The folders that hold runs: making, finding, listing and renaming them. The user's own, then the bundled ones."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bon_core.base import paths
from bon_core.base.files import whole_folder, write_text
from bon_core.config import InputError, RunConfig, check
from bon_core.runs.run import NAME_RULE, Run, Status, this_process


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


def rename(run: Run, name: str) -> Run:
    """Give one of the user's runs another name.

    Raises
    ------
    InputError
        If the name is not possible or taken, the run is bundled or at work, or the folder cannot be written to.
    """
    check(not run.bundled, f"{run.name} comes with the program and keeps its name; copy it to call it something else.")
    path = new_path(name, folder=run.path.parent)
    with run.claimed():
        pass  # nobody is at work on it
    try:
        run.path.rename(path)
    except OSError as error:
        raise InputError(f"{run.path} cannot be renamed ({error.strerror}); make its folder writable.") from error
    return Run(path)


def new_path(name: str, *, folder: Path | None = None) -> Path:
    """Where a new run of that name goes.

    Raises
    ------
    InputError
        If the name is not possible or taken.
    """
    path = (folder or paths.runs_folder()) / check_name(name)
    check(
        not path.exists(),
        f"There is already a run named {name}; choose another name, or continue that one with --resume.",
    )
    return path


def create(name: str, config: RunConfig, *, command: str = "", folder: Path | None = None) -> Run:
    """A new run directory with its config, a "queued" status and the command as its first event, made in one step.

    Raises
    ------
    InputError
        If the name is not possible or taken, or the folder cannot be written to.
    """
    path = new_path(name, folder=folder)
    with made(path, config) as run:
        run.write_status(Status(state="queued", created=time.time(), **this_process()))
        if command:
            event = json.dumps({"kind": "message", "step": 0, "text": command}, ensure_ascii=False)
            write_text(run.path / "events.jsonl", event + "\n")
    return Run(path)


@contextmanager
def made(path: Path, config: RunConfig) -> Iterator[Run]:
    """Yield a run with its config under a hidden name; on success it becomes `path` in one step, on error it is gone.

    Raises
    ------
    InputError
        If somebody else has made that run meanwhile, or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(path, new=True) as temporary:
            (temporary / "config.json").write_text(config.to_json(), encoding="utf-8")
            yield Run(temporary)
    except OSError as error:
        check(not path.exists(), f"There is already a run named {path.name}; choose another name.")
        raise InputError(
            f"The run {path} cannot be made ({error.strerror or error}); choose a folder that can be written to, with"
            " room."
        ) from error


def open_run(name: str, *, folder: Path | None = None) -> Run:
    """The run of that name: the user's own before a bundled one.

    Raises
    ------
    InputError
        If there is none, with the names that exist.
    """
    check_name(name)
    for parent in (folder or paths.runs_folder(), paths.MODELS):
        if (parent / name / "config.json").exists():
            return Run(parent / name)
    names = ", ".join(run.name for run in list_runs(folder=folder)) or "none yet"
    raise InputError(f"There is no run named {name}; there are: {names}.")


def list_runs(*, folder: Path | None = None) -> list[Run]:
    """The user's runs, newest first, then the bundled ones. A folder whose name cannot name a run is none."""
    own = [(made, run) for run in _runs_in(folder or paths.runs_folder()) if (made := _made(run)) is not None]
    own.sort(key=lambda pair: pair[0], reverse=True)
    return [run for _, run in own] + sorted(_runs_in(paths.MODELS), key=lambda run: run.name)


def waiting_before(run: Run) -> Iterator[Run]:
    """Runs in the same folder that came earlier and still wait or work: a queued run starts when there are none."""
    mine = run.status().created
    for other in list_runs(folder=run.path.parent):
        if other.path != run.path and not other.bundled:
            status = other.status()
            if status.active and (status.created, other.name) < (mine, run.name):
                yield other


def _runs_in(folder: Path) -> list[Run]:
    found = [path.parent for path in folder.glob("*/config.json")]
    return [Run(path) for path in found if NAME_RULE.fullmatch(path.name) and ".." not in path.name]


def _made(run: Run) -> float | None:
    """When the run was made; None if it was deleted a moment ago."""
    try:
        return (run.path / "config.json").stat().st_mtime
    except OSError:
        return None
