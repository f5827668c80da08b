"""A run in the format of another tool: `export --to TOOL`. One file a tool, one function: (run, out) -> what it wrote.

A tool's own package is imported inside its function, and its absence answered with a sentence; `--help` imports none.
"""

from collections.abc import Callable
from typing import Any

from bon_core.exports import atlas, lancedb, projector, tensorboard
from bon_core.runs.run import Run

WRITERS: dict[str, Callable[[Run, str], dict[str, Any]]] = {  # the same names as cli.TOOLS
    "tensorboard": tensorboard.write,
    "projector": projector.write,
    "atlas": atlas.write,
    "lancedb": lancedb.write,
}
