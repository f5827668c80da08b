"""Names of classes where there is little room: cut so that those which differ still look different."""

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

CUT = "…"
LEAD = 0.4  # of the room for the start of a name that is cut in its middle


def shortened(names: Sequence[str], most: int) -> list[str]:
    """The names, those wider than `most` columns cut to that, with an ellipsis.

    A name keeps its start. Where two names would look alike then, their ends are kept as well; where these are alike,
    too, the place where the names begin to differ; where even that is the same, they are numbered. A letter of Chinese,
    Japanese or Korean is two columns wide.

    Parameters
    ----------
    most : columns, 8 or more
    """
    return list(_shortened(tuple(map(str, names)), most))


@lru_cache(maxsize=32)  # pages ask for the same names at each run of the script
def _shortened(names: tuple[str, ...], most: int) -> list[str]:
    found = list(names)
    long = [place for place, name in enumerate(found) if _width(name) > most]
    if not long:
        return found
    whole = list(found)
    for cut in (_start, _both_ends, _where_it_differs(whole), _numbered(whole)):
        for place in long:
            found[place] = cut(whole[place], most)
        owners: dict[str, set[str]] = {}
        for short, name in zip(found, whole, strict=True):
            owners.setdefault(short, set()).add(name)
        long = [place for place in long if len(owners[found[place]]) > 1]
        if not long:
            break
    return found


def apart(name: str) -> str:
    """A name that keeps to itself in a sentence of another direction: Hebrew between English words and numbers."""
    return name if name.isascii() else f"\u2068{name}\u2069"


def _start(name: str, most: int) -> str:
    return name if _width(name) <= most else _head(name, most - 1).rstrip() + CUT


def _both_ends(name: str, most: int) -> str:
    lead = int(LEAD * most)
    return _head(name, lead).rstrip() + CUT + _tail(name, most - lead - 1).lstrip()


def _where_it_differs(names: Sequence[str]) -> Callable[[str, int], str]:
    """Cuts a name around the first letter by which it differs from those that come next to it in the dictionary."""
    order = sorted(set(names))
    shared = [_alike(one, other) for one, other in pairwise(order)]
    differs = {
        name: max(shared[max(place - 1, 0) : place + 1], default=0) for place, name in enumerate(order)
    }  # the longest start that it shares with any other name

    def cut(name: str, most: int) -> str:
        lead = int(LEAD * most)
        start = max(differs[name] - 3, lead)
        rest = _head(name[start:], most - lead - 2)
        return _head(name, lead).rstrip() + CUT + rest.strip() + (CUT if start + len(rest) < len(name) else "")

    return cut


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    ends = (place for place, (mine, theirs) in enumerate(zip(one, other, strict=False)) if mine != theirs)
    return next(ends, min(len(one), len(other)))


def _numbered(names: Sequence[str]) -> Callable[[str, int], str]:
    number = {name: place for place, name in enumerate(dict.fromkeys(names), 1)}

    def cut(name: str, most: int) -> str:
        end = f"{CUT} #{number[name]}"
        return _head(name, most - len(end)).rstrip() + end

    return cut


def _width(text: str) -> int:
    """Columns that the text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=4096)
def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _head(text: str, most: int) -> str:
    """The longest start that is at most so wide; marks stay with their letter."""
    taken = 0
    for place, letter in enumerate(text):
        taken += _columns(letter)
        if taken > most:
            return text[:place]
    return text


def _tail(text: str, most: int) -> str:
    taken, start = 0, len(text)
    for place in range(len(text) - 1, -1, -1):
        taken += _columns(text[place])
        if taken > most:
            break
        if _columns(text[place]):
            start = place
    return text[start:]
