"""What people add to a run: named sets of samples and verdicts on labels, each one JSON file beside the run.

A bundled run is not written to: what is added to it lies in the runs folder, out of the list's sight.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from bon_core import runs
from bon_core.config import InputError
from bon_core.files import read_json, reason_of, write_text
from bon_core.runs import Run

FOLDER = ".kept"


def path_of(run: Run, what: str) -> Path:
    """Where `what` of the run is kept."""
    return (runs.runs_folder() / FOLDER / run.name if run.bundled else run.path) / f"{what}.json"


def read(run: Run, what: str) -> dict[str, Any]:
    """What was kept last, not to be changed; {} before the first time.

    Raises
    ------
    InputError
        If the file is no JSON object.
    """
    path = path_of(run, what)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return {}


def write(run: Run, what: str, content: dict[str, Any]) -> None:
    """Keep `content` in place of what was kept before, whole or not at all.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    path = path_of(run, what)
    try:
        if run.bundled:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content, ensure_ascii=False, indent=1))
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); make its folder writable.") from error


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> dict[str, Any]:
    try:
        content = read_json(path)
    except InputError as error:
        raise InputError(f"{path} cannot be read ({reason_of(error)}); repair or remove it.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not an object; repair or remove it.")
    return content
