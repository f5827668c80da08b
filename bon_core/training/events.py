"""Events of a run: one JSON object a line, appended as they happen, so that anybody can follow along."""

import json
import math
from pathlib import Path
from typing import Any

from bon_core.files import write_text


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
        """Forget what happened at `step` and later: a resumed run lives through it again."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            write_text(self.path, "".join(line for line in whole if json.loads(line)["step"] < step))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
