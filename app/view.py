"""What is being looked at: one split of one snapshot of a run, in one colouring."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app import selection
from app.names import shortened
from bon_core.datasets.image_set import SPLIT_NAMES
from bon_core.runs.run import Run
from bon_core.runs.snapshot import Snapshot

COLOURS = {  # name in the address -> words in the menu
    "cluster": "learner · cluster",
    "class": "class",
    "bucket": "hash bucket",
    "bit": "hash bit",
    "correct": "right / wrong",
    "hardness": "hardness",
    "trust": "map trust",
}
NUMBER = r"-?\d+(\.\d+)?"
BOX_RULE = re.compile(rf"{NUMBER},{NUMBER},{NUMBER},{NUMBER}", re.ASCII)


@dataclass(frozen=True)
class View:
    """One snapshot of one run, one split of it, one colouring."""

    run: Run
    snapshot: Snapshot
    split: str  # "train", "test" or "validation"
    colour: str  # a key of COLOURS or a field of the data set

    @cached_property
    def rows(self) -> np.ndarray:
        """Positions of the split in the snapshot, (n,) int64, ascending."""
        return np.flatnonzero(np.asarray(self.snapshot.split) == SPLIT_NAMES.index(self.split))

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids of the split, (n,) int64, in the order of `rows`."""
        return np.asarray(self.snapshot.ids)[self.rows]

    @cached_property
    def selected(self) -> np.ndarray:
        """Positions of the selected samples that are in the split, (s,) int64, ascending."""
        return self.among(selection.ids())

    @cached_property
    def elsewhere(self) -> tuple[int, int]:
        """How many selected samples are in other splits, and how many are in none of this snapshot."""
        outside = len(selection.ids()) - len(self.selected)
        gone = int((~np.isin(selection.ids(), np.asarray(self.snapshot.ids))).sum()) if outside else 0
        return outside - gone, gone

    def among(self, ids: np.ndarray) -> np.ndarray:
        """Positions of those `ids` that are in the split, ascending."""
        return self.rows[np.isin(self.ids, ids)]

    def row_of(self, identity: int) -> int | None:
        """Where among `rows` a sample is, None if it is not in the split."""
        position = self.snapshot.position_of.get(identity)
        if position is None:
            return None
        row = int(np.searchsorted(self.rows, position))
        return row if row < len(self.rows) and self.rows[row] == position else None

    def class_name(self, row: int) -> str:
        return self.snapshot.class_names[int(self.snapshot.labels[row])]

    def short(self, label: int, most: int = 24) -> str:
        """The name of a class, cut to `most` columns so that it differs from all others still."""
        if most not in self._short:
            self._short[most] = shortened(self.snapshot.class_names, most)
        return self._short[most][int(label)]

    def short_name(self, row: int, most: int = 24) -> str:
        """The name of a sample's class, cut like `short`."""
        return self.short(int(self.snapshot.labels[row]), most)

    @cached_property
    def _short(self) -> dict[int, list[str]]:
        return {}

    def ids_of(self, rule: str) -> np.ndarray:
        """Ids of the split that a rule names; none if the text is no rule.

        Rules are "class:12", "bucket:63", "cluster:2" and "box:LOW_X,HIGH_X,LOW_Y,HIGH_Y" on the map.
        """
        kind, _, value = rule.partition(":")
        columns = {"class": "labels", "bucket": "codes", "cluster": "clusters"}
        if kind in columns and value.isdecimal():
            return self.ids[np.asarray(getattr(self.snapshot, columns[kind]))[self.rows] == int(value)]
        if kind == "box" and BOX_RULE.fullmatch(value):
            low_x, high_x, low_y, high_y = map(float, value.split(","))
            x, y = np.asarray(self.snapshot.xy)[self.rows].T
            return self.ids[(x >= low_x) & (x <= high_x) & (y >= low_y) & (y <= high_y)]
        return np.empty(0, np.int64)

    def box_rule(self, ids: np.ndarray) -> str:
        """The rule of the smallest box around `ids`."""
        xy = np.asarray(self.snapshot.xy)[self.among(ids)]
        if not len(xy):
            return ""
        ends = np.stack([xy.min(axis=0), xy.max(axis=0)], axis=1).ravel()
        return "box:" + ",".join(np.format_float_positional(end, unique=True, trim="-") for end in ends)
