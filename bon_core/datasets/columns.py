"""The columns of a file of embeddings before they are checked, and what people call them. Legend: N rows, D width."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bon_core.base.intake import listed

# What people call these columns, in any case; the first that is there is taken.
WANTED = {
    "labels": ("labels", "label", "targets", "target", "y", "classes", "class"),
    "ids": ("ids", "id"),
    "split": ("split", "splits", "part"),
    "class_names": ("class_names",),
}
VECTOR_NAMES = ("vectors", "vector", "embeddings", "embedding", "features", "x")
SURE_NAMES = VECTOR_NAMES[:2]  # one of these is meant, whatever else there is
MAX_FIELDS = 24  # further columns that are kept; a menu shows them all
MAX_VALUES = 100_000  # different values of a field
LONGEST_VALUE = 200  # characters of a field's text

NEITHER = "of neither numbers nor short text"
TOO_MANY = f"of more than {MAX_VALUES:,} different values"
BEYOND = f"beyond the first {MAX_FIELDS}"


@dataclass(kw_only=True)
class Columns:
    """vectors (N, D); labels, ids, split (N,); class_names (P,); fields: further columns (N,), text or numbers.

    source : which column is what, in words; left_out : name of a column -> why it is not kept
    """

    vectors: np.ndarray
    labels: np.ndarray
    ids: np.ndarray | None = None
    split: np.ndarray | None = None
    class_names: Any = None  # (P,), an array as it was read, or texts once they are checked
    fields: dict[str, np.ndarray] = field(default_factory=dict)
    source: str = ""
    left_out: dict[str, str] = field(default_factory=dict)

    def passed_over(self) -> dict[str, int]:
        """The columns that are not kept, counted by reason and named."""
        reasons = dict.fromkeys(self.left_out.values())
        names = {reason: [name for name, why in self.left_out.items() if why == reason] for reason in reasons}
        return {f"columns {reason} ({listed(found)})": len(found) for reason, found in names.items()}


def pick(names: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The name that stands first in `wanted`, in whatever case, or None."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)


def pick_vectors(named: list[str], others: list[str]) -> list[str]:
    """Which columns may hold the vectors: of those with a usual name, else of all that look like vectors."""
    sure = pick(named, SURE_NAMES)
    return [sure] if sure else named or others
