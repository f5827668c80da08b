"""A study's results in one Parquet file, a row a trial: plain columns as they are, nested ones as JSON text."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from bon_core.base.files import whole_file

KEY = "trial"  # the column that names a row


def load(path: Path) -> pd.DataFrame:
    """All rows of the table, ordered by their names; empty if there is no file yet."""
    if not path.exists():
        return pd.DataFrame(columns=[KEY])
    rows = pq.read_table(path).to_pylist()
    return pd.DataFrame([{name: _unpacked(value) for name, value in row.items()} for row in rows])


def names(path: Path) -> set[str]:
    """The trials that have a row."""
    return set(pq.read_table(path, columns=[KEY])[KEY].to_pylist()) if path.exists() else set()


def add(path: Path, results: dict[str, dict[str, Any]]) -> None:
    """Add rows by name, or replace those of the same name. Several processes may do so at a time."""
    with FileLock(path.with_suffix(".lock")):
        rows = {row[KEY]: row for row in pq.read_table(path).to_pylist()} if path.exists() else {}
        for name, result in results.items():
            rows[name] = {KEY: name, **{column: _packed(value) for column, value in result.items()}}
        columns = dict.fromkeys(column for row in rows.values() for column in row)
        table = pa.table({column: [rows[name].get(column) for name in sorted(rows)] for column in columns})
        with whole_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")


def _packed(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _unpacked(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
