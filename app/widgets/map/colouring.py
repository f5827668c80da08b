"""Which colour a point gets: one place for the map, its legend and everything that is drawn beside it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app import theme
from app.view import View
from bon_core.mining.codes import bits_of

STEPS = 24  # of a continuous colour
MAX_NAMED = 24  # categories that get a colour and a legend of their own: the hues, then darker, then lighter ones


@dataclass(frozen=True)
class Colouring:
    """A colour a point, for the rows of a view.

    Categories: `values` are small whole numbers that index `colours` (several categories may share a hue).
    Numbers: `values` run over `domain`, and `colours` is a ramp.
    """

    title: str
    values: np.ndarray  # (n,) int16 or float32
    colours: tuple[str, ...]
    entries: tuple[tuple[str, str, int], ...] = ()  # legend: colour, name, count; empty for a ramp
    domain: tuple[float, float] | None = None
    ends: tuple[str, str] = ("", "")  # what the ends of a ramp mean
    note: str = ""
    names: tuple[str, ...] = ()  # what each of `colours` means, where each means something of its own

    @cached_property
    def shades(self) -> tuple[str, ...]:
        """The colours that `shade_numbers` index: those of the categories, or STEPS along the ramp."""
        return self.colours if self.domain is None else steps(self.colours)

    @cached_property
    def shade_numbers(self) -> np.ndarray:
        """(n,) int16, for each point its colour as an index into `shades`."""
        if self.domain is None:
            return self.values
        low, high = self.domain
        return np.clip((self.values - low) / (high - low) * STEPS, 0, STEPS - 1).astype(np.int16)

    def of(self, places: np.ndarray) -> list[str]:
        """The colours of some points as CSS, by their place in the view's rows."""
        return [self.shades[number] for number in self.shade_numbers[places]]

    def legend(self, among: np.ndarray | None = None) -> None:
        """Draw what the colours mean; `among` are places of points whose share of each category is counted as well."""
        if self.domain is not None:
            theme.ramp(self.colours, *self.ends)
        elif self.entries:
            theme.legend(
                [(colour, name, text) for (colour, name, _), text in zip(self.entries, self.counts(among), strict=True)]
            )
        else:
            theme.caption(self.note)

    def counts(self, among: np.ndarray | None = None) -> list[str]:
        """For each entry of the legend how many there are: "12 / 340" where `among` holds points, else "340"."""
        totals = [theme.count(number) for _, _, number in self.entries]
        if among is None or not len(among):
            return totals
        present = np.flatnonzero(np.bincount(self.values, minlength=len(self.names)))  # those that have an entry
        inside = np.bincount(self.values[among], minlength=len(self.names))[present]
        return [f"{theme.count(some)} / {total}" for some, total in zip(inside, totals, strict=True)]


def colouring(view: View, name: str | None = None, *, bit: int = 0) -> Colouring:
    """The colouring `name` (the view's own by default) of the view's rows; `bit` is used by "bit" alone."""
    name = name or view.colour
    snapshot, rows = view.snapshot, view.rows
    if name == "cluster":
        clusters = np.asarray(snapshot.clusters)[rows]
        word = "learner" if snapshot.meta["clusters_origin"] == "learners" else "cluster"
        return _categories(word, clusters, [f"{word} {k}" for k in range(clusters.max(initial=0) + 1)])
    if name == "class":
        labels = np.asarray(snapshot.labels)[rows]
        few = len(snapshot.class_names) <= MAX_NAMED
        return _categories(name, labels, snapshot.class_names) if few else _repeating(name, labels, "classes")
    if name == "bucket":
        return _repeating("bucket", np.asarray(snapshot.codes)[rows], "buckets")
    if name == "bit":
        on = bits_of(np.asarray(snapshot.codes)[rows], snapshot.bits)[:, bit % snapshot.bits]
        return _categories(f"bit {bit}", on.astype(np.int16), ["0", "1"], (theme.SKY, theme.VERMILION))
    if name == "correct":
        wrong = ~np.asarray(snapshot.correct)[rows]
        return _categories("nearest", wrong.astype(np.int16), ["right", "wrong"], (theme.SKY, theme.WRONG))
    if name == "hardness":
        values = np.asarray(snapshot.hardness)[rows].astype(np.float32)
        reach = max(float(np.nanquantile(np.abs(values), 0.98)) if len(values) else 0, 1e-3)
        ends = ("easy", "retrieves a wrong class")
        return Colouring("hardness", values, theme.DIVERGING, domain=(-reach, reach), ends=ends)
    if name == "trust":
        values = np.asarray(snapshot.trust)[rows].astype(np.float32)
        ends = ("this region lies", "neighbours are real")
        return Colouring("trust", values, tuple(reversed(theme.DIVERGING)), domain=(0, 1), ends=ends)
    codes, names = snapshot.fields[name]
    codes = np.asarray(codes)[rows]
    if name in snapshot.numbers and len(names) > len(theme.HUES):
        return _ramp(name, snapshot.numbers[name][rows])
    if len(names) <= MAX_NAMED:
        return _categories(name, codes, names)
    return _repeating(name, codes, f"values of {name}")


def _categories(title: str, values: np.ndarray, names: list[str], colours: tuple[str, ...] = ()) -> Colouring:
    colours = colours or _distinct(len(names))
    counts = np.bincount(values, minlength=len(names))
    entries = tuple((colours[k], name, int(counts[k])) for k, name in enumerate(names) if counts[k])
    return Colouring(title, values.astype(np.int16), colours, entries, names=tuple(names))


def _distinct(count: int) -> tuple[str, ...]:
    """A colour for each of up to MAX_NAMED categories."""
    hues = [*theme.HUES, *(_mixed(hue, 0, 0.45) for hue in theme.HUES), *(_mixed(hue, 255, 0.5) for hue in theme.HUES)]
    return tuple(hues[: max(count, 1)])


def _mixed(colour: str, grey: int, share: float) -> str:
    """A colour with a share of black (0) or white (255)."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#{:02X}{:02X}{:02X}".format(*(round((1 - share) * part + share * grey) for part in parts))


def _ramp(title: str, values: np.ndarray) -> Colouring:
    """Numbers (n,), from the 1st to the 99th percentile; those that are not there get the colour of the middle."""
    there = values[np.isfinite(values)]
    low, high = (float(end) for end in np.quantile(there, [0.01, 0.99])) if len(there) else (0.0, 1.0)
    high = high if high > low else low + 1
    gone = len(values) - len(there)
    more = f"; {theme.count(gone)} have none and the colour of the middle" if gone else ""
    filled = np.where(np.isfinite(values), values, (low + high) / 2).astype(np.float32)
    return Colouring(title, filled, theme.SEQUENTIAL, domain=(low, high), ends=(f"{low:.4g}", f"{high:.4g}{more}"))


def _repeating(title: str, values: np.ndarray, plural: str) -> Colouring:
    """More categories than hues: each keeps one hue, neighbouring numbers get different ones."""
    distinct = len(np.unique(values))
    note = f"{theme.count(distinct)} {plural} share eight hues; a change of hue is a change of {title}."
    return Colouring(title, (values % len(theme.HUES)).astype(np.int16), theme.HUES, note=note)


def steps(colours: tuple[str, ...]) -> tuple[str, ...]:
    """STEPS colours evenly along a ramp of a few, mixed in RGB."""
    corners = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours], np.float64)
    at = np.linspace(0, len(colours) - 1, STEPS)
    mixed = np.stack([np.interp(at, np.arange(len(colours)), corners[:, channel]) for channel in range(3)], axis=1)
    return tuple("#{:02X}{:02X}{:02X}".format(*row) for row in mixed.round().astype(int))
