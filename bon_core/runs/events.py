"""Events of a run: one JSON object a line, appended as they happen, so that anybody can follow along."""

import json
import math
from pathlib import Path
from typing import Any

from bon_core.base.files import write_text


class EventLog:
    """Appends events to a run's events.jsonl."""

    def __init__(self, folder: Path):
        self.path = folder / "events.jsonl"

    def write(self, kind: str, *, step: int, **values: Any) -> None:
        """Append one event. Numbers that are not finite are written as null: JSON has no word for them."""
        event = {"kind": kind, "step": step, **{name: _plain(value) for name, value in values.items()}}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def rewind(self, step: int) -> None:
        """Forget what a run resumed at `step` lives through again; an evaluation comes before the checkpoint of its
        step and a message before the first step, so these stay.
        """
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self.path, "".join(line for line in lines if _before(line, step)))


def _before(line: str, step: int) -> bool:
    """Whether a line is a whole event that a checkpoint of `step` has behind it."""
    try:
        event = json.loads(line) if line.endswith("\n") else {}
        return event["step"] < step or (event["step"] == step and event["kind"] in ("evaluation", "message"))
    except (ValueError, KeyError, TypeError):
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
