"""Rows of a large array a chunk at a time, so that what is mapped from a file stays on disk."""

from collections.abc import Iterator

CHUNK_ROWS = 65536


def row_chunks(count: int, chunk_rows: int | None = None) -> Iterator[slice]:
    """Slices that cover rows 0 to `count` in order, `chunk_rows` each (None: CHUNK_ROWS), the last of what is left."""
    step = chunk_rows or CHUNK_ROWS
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
