"""The audit log: which samples met in a training step, who brought them there, and what was chosen among them.

One row an image of the batch, in Parquet parts of some hundred steps, for the explorer to replay. Reading needs no
torch.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from bon_core.base.files import check_regular, reason_of, whole_file
from bon_core.config import InputError, check

PART_RULE = re.compile(r"part-(\d{1,12})\.parquet", re.ASCII)
PHASES = ("joint", "split", "clustered", "conquer")
COLUMNS = {
    "step": np.int32,
    "phase": np.int8,  # index in PHASES
    "learner": np.int8,  # -1: the whole embedding
    "id": np.int64,
    "role": np.int8,  # 0 seed, 1 bucket mate, 2 random fill, as in mining/layout.py
    "bucket": np.int32,  # the code a seed or bucket mate was found under; -1: none
    "positive": np.int64,  # ids; -1: none was chosen
    "negative": np.int64,
    "d_ap": np.float32,
    "d_an": np.float32,
    "active": np.bool_,  # the triplet violates the margin: d_an < d_ap + margin, whatever the loss
}


class AuditLog:
    """Collects the columns of recorded steps and writes them out in parts.

    Columns may be tensors of any device; they are fetched together when a part is written, not step by step.
    """

    def __init__(self, folder: Path, *, part_steps: int = 200):
        self.folder = folder / "audit"
        self.part_steps = part_steps
        self._steps: list[dict[str, Any]] = []

    def add(self, step: int, columns: dict[str, Any]) -> None:
        """Keep one step: every name of COLUMNS but step, each (B,) or a scalar."""
        self._steps.append({"step": step, **columns})
        if len(self._steps) >= self.part_steps:
            self.flush()

    def flush(self) -> None:
        """Write the steps collected so far as one part."""
        if not self._steps:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = {}
        for name, kind in COLUMNS.items():
            values = [_column(step[name], len(step["id"])) for step in self._steps]  # clusters may give smaller batches
            table[name] = pa.array(np.concatenate(values).astype(kind))
        self.folder.mkdir(exist_ok=True)
        with whole_file(self.folder / f"part-{self._steps[0]['step']:07d}.parquet") as temporary:
            pq.write_table(pa.table(table), temporary, compression="zstd")
        self._steps.clear()

    def rewind(self, step: int) -> None:
        """Forget `step` and later. Parts end at checkpoints, so whole parts go."""
        self._steps.clear()
        for path in _parts(self.folder.parent):
            if _first_step(path) >= step:
                path.unlink()


def audit_steps(folder: Path) -> np.ndarray:
    """Recorded steps of the run directory `folder`, ascending, (n,) int64; empty if none were recorded."""
    table = _read(folder, ["step"])
    return np.unique(table["step"]).astype(np.int64)


def read_step(folder: Path, step: int) -> dict[str, np.ndarray]:
    """All COLUMNS of one recorded step, one row an image of its batch, in batch order.

    Raises
    ------
    InputError
        If the step was not recorded.
    """
    parts = [path for path in _parts(folder) if _first_step(path) <= step]
    found = _read(folder, list(COLUMNS), filters=[("step", "==", step)], parts=parts[-1:]) if parts else None
    if found is None or not len(found["step"]):
        raise InputError(f"Step {step} was not recorded; pick one of the recorded steps.")
    return found


def mined_pairs(folder: Path, *, last_steps: int | None = None) -> dict[str, np.ndarray]:
    """Every recorded anchor and the negative chosen for it: step, anchor, negative, d_ap, d_an, (n,) each."""
    table = _read(folder, ["step", "id", "negative", "d_ap", "d_an"])
    wanted = table["negative"] >= 0
    if last_steps is not None and wanted.any():
        wanted &= table["step"] > table["step"].max() - last_steps
    names = {"step": "step", "id": "anchor", "negative": "negative", "d_ap": "d_ap", "d_an": "d_an"}
    return {new: table[old][wanted] for old, new in names.items()}


def _parts(folder: Path) -> list[Path]:
    """The parts of the log, in order; what is not named as one is none."""
    found = (Path(folder) / "audit").glob("part-*.parquet")
    return sorted((path for path in found if PART_RULE.fullmatch(path.name)), key=_first_step)


def _first_step(part: Path) -> int:
    named = PART_RULE.fullmatch(part.name)
    assert named is not None  # as _parts has seen to
    return int(named[1])


def _read(
    folder: Path, columns: list[str], *, filters: Any = None, parts: list[Path] | None = None
) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = _parts(folder) if parts is None else parts
    found: dict[str, list[np.ndarray]] = {name: [np.zeros(0, COLUMNS[name])] for name in columns}
    for path in paths:
        try:
            check_regular(path)
            table = pq.read_table(path, columns=columns, filters=filters)
            lacking = [name for name in columns if name not in table.column_names]
            check(not lacking, f"{path.name} lacks the column {lacking[:1]}")
            for name in columns:
                found[name].append(_values(table[name], name))
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise InputError(
                f"The audit log part {path} cannot be read ({reason_of(error)}); remove it from the run."
            ) from error
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _values(column: Any, name: str) -> np.ndarray:
    """A column of a part as what COLUMNS says; raises InputError or pyarrow's own if it is something else."""
    import pyarrow as pa

    kind = np.dtype(COLUMNS[name])
    numbers = {"i": pa.types.is_integer, "f": pa.types.is_floating, "b": pa.types.is_boolean}[kind.kind]
    check(numbers(column.type) and not column.null_count, f"its column {name} holds {column.type}, or gaps; not {kind}")
    return column.cast(pa.from_numpy_dtype(kind)).to_numpy()


def _column(values: Any, rows: int) -> np.ndarray:
    if hasattr(values, "cpu"):
        values = values.cpu().numpy()
    values = np.asarray(values)
    return np.full(rows, values) if values.ndim == 0 else values
