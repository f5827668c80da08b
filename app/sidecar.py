"""What people add to a run: named sets of samples and verdicts on labels, each one JSON file beside the run.

A bundled run is not written to: what is added to it lies in the runs folder, out of the list's sight.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bon_core.base import paths
from bon_core.base.files import read_json, reason_of, write_text
from bon_core.config import InputError
from bon_core.runs.run import Run

FOLDER = ".kept"
LOCK_TIMEOUT_S = 10  # that a change waits for another


def path_of(run: Run, what: str) -> Path:
    """Where `what` of the run is kept."""
    return (paths.runs_folder() / FOLDER / run.name if run.bundled else run.path) / f"{what}.json"


def read(run: Run, what: str) -> dict[str, Any]:
    """What was kept last, not to be changed; {} before the first time.

    Raises
    ------
    InputError
        If the file is no JSON object.
    """
    path = path_of(run, what)
    try:
        found = path.stat()
    except FileNotFoundError:
        return {}
    return _read(path, (found.st_mtime_ns, found.st_size, found.st_ino))


def change(run: Run, what: str, update: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Keep what `update` makes of what is kept now, whole or not at all, and return it.

    Nobody else changes it meanwhile, in this process or another: two visitors lose nothing of each other's.

    Raises
    ------
    InputError
        If what is there cannot be read, the folder cannot be written to, or somebody else is at it for too long.
    """
    path = path_of(run, what)
    try:
        if run.bundled:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.stat()  # the lock would bring the folder of a run back that was deleted
        with FileLock(path.with_name(f".{path.stem}.lock"), timeout=LOCK_TIMEOUT_S):
            content = update(read(run, what))
            write_text(path, json.dumps(content, ensure_ascii=False, indent=1))
    except Timeout as error:
        raise InputError(f"{path} is being written by somebody else; try again.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); make its folder writable.") from error
    return content


@lru_cache(maxsize=16)
def _read(path: Path, changed: tuple[int, int, int]) -> dict[str, Any]:
    try:
        content = read_json(path)
    except InputError as error:
        raise InputError(f"{path} cannot be read ({reason_of(error)}); repair or remove it.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not an object; repair or remove it.")
    return content
