"""What a training left, as values that can be compared with what another one left."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from bon_core.base.files import leftovers
from bon_core.runs.run import Run
from bon_core.training.checkpoint import load_tree
from tests.robustness.child import NAME, start

# No two runs agree in these.
CLOCKED = {"seconds", "mining_ms", "step_ms", "input_wait", "images_per_second", "milliseconds"}
PATIENCE = 240  # seconds


def finish(folder: Path, data: Path, *, mapped: bool = False) -> None:
    """Train or resume to the end."""
    child = start(folder, data, mapped=mapped)
    child.join(PATIENCE)
    assert child.exitcode == 0, (folder / "words").read_text()
    assert not (folder / "refused").exists(), (folder / "refused").read_text()


def state(run: Run) -> dict[str, Any]:
    """All that must not depend on how often a training was interrupted, as plain values and bytes."""
    found = {f"checkpoint {name}": value for name, value in flat(load_tree(run.checkpoint))}
    del found["checkpoint .seconds"]
    for event in run.events():
        assert found.setdefault(f"event {event['kind']} {event['step']}", event) is event, "an event is told twice"
        for name in CLOCKED & set(event):
            del event[name]
    tables = [pq.read_table(path) for path in sorted((run.path / "audit").glob("part-*.parquet"))]
    for name in tables[0].column_names:
        found[f"audit {name}"] = np.concatenate([table[name].to_numpy() for table in tables]).tobytes()
    for kind in ("clusterings", "previews"):
        for path in (run.path / kind).iterdir():
            with np.load(path) as file:
                found |= {f"{kind} {path.name} {name}": file[name].tobytes() for name in file.files}
    return found


def flat(value: Any, name: str = ""):
    """(name, plain value or bytes) of every leaf of a tree."""
    if isinstance(value, torch.Tensor):
        yield name, value.numpy().tobytes()
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(item, f"{name}.{key}")
    else:
        yield name, value


def check_resumed(folder: Path, data: Path, whole: dict[str, Any]) -> None:
    run = Run(folder / NAME)
    if run.status().state != "finished":
        finish(folder, data)
    assert run.status().state == "finished"
    found = state(run)
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] == []
    assert leftovers(run.path) == []
