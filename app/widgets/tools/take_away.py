"""A table to take away, as CSV or as Parquet; it is made when it is asked for."""

import io
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import streamlit as st

KINDS = {"csv": ("CSV", "text/csv"), "parquet": ("Parquet", "application/vnd.apache.parquet")}

Columns = Mapping[str, np.ndarray]


def take_away(columns: Callable[[], Columns], *, name: str, key: str, disabled: bool = False) -> None:
    """Draw a button for each format. `name` is the file's, without an ending.

    `columns` gives name -> (n,) values. It is called in a thread without a session: what it needs of one, such as the
    selection, must be in it already.
    """
    for kind, (label, mime) in KINDS.items():
        st.download_button(
            label,
            data=partial(_made, columns, kind),
            file_name=f"{name}.{kind}",
            mime=mime,
            icon=":material/download:",
            key=f"{key}-{kind}",
            help=f"Take these away as {label}",
            disabled=disabled,
            on_click="ignore",
        )


def _made(columns: Callable[[], Columns], kind: str) -> bytes:
    return as_bytes(columns(), kind)


def as_bytes(columns: Columns, kind: str) -> bytes:
    """The table as a file of that kind, "csv" or "parquet", with a header and all values as they are."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    table = pa.table({name: pa.array(np.asarray(values)) for name, values in columns.items()})
    file = io.BytesIO()
    if kind == "csv":
        pa.csv.write_csv(table, file)
    else:
        pa.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()
