"""Intake: what a reader took of its source and what it passed over, in one line for people."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

NAMES_SHOWN = 5  # of a list of names in a sentence
LONGEST_SHOWN = 40  # characters of one of them


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What was read.

    took : counts, such as "200 vectors of 10 classes, 16 dimensions"
    source : where each thing came from, such as "vectors from the column image_embedding, labels from label"
    passed_over : what was left out and why -> how often, such as "links to nowhere" -> 3; begins with a noun in -s
    notes : further sentences without a full stop
    """

    took: str
    source: str = ""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def noting(self, *notes: str) -> "Intake":
        """The same with further notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *filter(None, notes)))

    def sentence(self) -> str:
        """All of it in one line."""
        return " ".join(filter(None, (f"Took {printable(self.took)}.", self.details())))

    def details(self) -> str:
        """All but the counts, in one line; empty if there is nothing to say."""
        sentences = (self.source, self.passed(), *self.notes)
        return printable(" ".join(f"{text[:1].upper()}{text[1:]}." for text in sentences if text))

    def passed(self) -> str:
        """What was passed over, by reason; empty if nothing was."""
        found = ", ".join(counted(count, reason) for reason, count in self.passed_over.items() if count)
        return f"passed over: {found}" if found else ""


def print_report(intake: Intake) -> None:
    """Say it on standard error, as standard output is for results."""
    print(intake.sentence(), file=sys.stderr)


def counted(count: int, things: str) -> str:
    """3, "links to nowhere" -> "3 links to nowhere"; of 1, the first word loses its ending."""
    noun, blank, rest = things.partition(" ")
    one = noun.removesuffix("es") if noun.endswith("sses") else noun.removesuffix("s")
    return f"{count:,} {one if count == 1 else noun}{blank}{rest}"


def listed(names: Iterable[str]) -> str:
    """The first of some names, each shortened, and how many more there are."""
    names = list(names)
    shown = [shortened(name) for name in names[:NAMES_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def shortened(name: str) -> str:
    """A name out of somebody's file, short enough for a sentence."""
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


def printable(text: str) -> str:
    """`text` on one line and without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
