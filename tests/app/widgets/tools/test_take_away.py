"""Tables to take away: the same values in both formats."""

import io

import numpy as np
import pandas as pd
import pytest

from app.widgets.tools.take_away import as_bytes


@pytest.mark.parametrize(("kind", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_ids_words_and_numbers_come_back(kind, read):
    columns = {
        "id": np.array([3, 2**62]),
        "class": np.array(['a, "b"', "Ω"]),
        "trust": np.array([0.25, 1.0], np.float16),
        "correct": np.array([True, False]),
    }
    found = read(io.BytesIO(as_bytes(columns, kind)))
    assert list(found) == list(columns)
    for name, values in columns.items():
        assert found[name].tolist() == values.tolist()


def test_a_table_without_rows_keeps_its_header():
    assert as_bytes({"id": np.zeros(0, np.int64), "class": np.zeros(0, str)}, "csv").decode().strip() == '"id","class"'
