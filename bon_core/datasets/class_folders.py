"""Which folder of an image's path is its part and which its class."""

import collections
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bon_core.base.intake import counted, listed
from bon_core.config import check
from bon_core.datasets.labelled import PART_NAMES, TEST, TRAIN

Place = tuple[int | None, str]  # part (None: not given) and class of an image
Folders = dict[str, tuple[str, ...]]  # of each file, from the outermost
MAX_COMPARED_FOLDERS = 12  # folders that are compared with each other


@dataclass(frozen=True, kw_only=True)
class ClassFolders:
    """skipped: folders around everything; parts: top folder -> code, empty if there are none; level: of the class."""

    skipped: int
    parts: Mapping[str, int]
    level: int

    def place(self, name: str) -> Place | None:
        """The place of a file; None if it lies above the class folders."""
        folders = _folders(name)[self.skipped :]
        part = self.parts.get(folders[0]) if folders and self.parts else None
        below = folders[1:] if self.parts else folders
        return (part, below[self.level - 1]) if len(below) >= self.level else None


def class_folders(path: Path, names: Iterable[str], level: int | None = None) -> ClassFolders:
    """How the files `names` below `path` are laid out.

    Parameters
    ----------
    level : which folder is the class: 1 is the first below everything and below the parts; None: the first, unless it
        may just as well be a part

    Raises
    ------
    InputError
        If there are parts but none to train on, or it is not clear what are parts and what are classes.
    """
    folders = {name: _folders(name) for name in names}
    skipped = 0
    while len(tops := {found[0] for found in folders.values() if found}) == 1 and any(
        len(found) > 1 for found in folders.values()
    ):
        folders, skipped = {name: found[1:] for name, found in folders.items()}, skipped + 1
    named = {top: PART_NAMES[top.lower()] for top in tops if top.lower() in PART_NAMES}
    if len(tops) < 2 or len(named) < len(tops):
        if level is None:
            _check_clear(path, folders, named)
        return ClassFolders(skipped=skipped, parts={}, level=level or 1)
    check(
        TRAIN in named.values(),
        f"{path} has the parts {' and '.join(sorted(named))}, but train is needed; rename one, or put all class folders"
        " side by side to have them split.",
    )
    tested = TEST in named.values()  # else what is there beside train is tested
    parts = {top: code if code == TRAIN or tested else TEST for top, code in named.items()}
    return ClassFolders(skipped=skipped, parts=parts, level=level or 1)


def notes(layout: ClassFolders, names: Iterable[str], *, asked: bool) -> list[str]:
    """What a person should know of a layout that is applied to files; `asked`: the level was given."""
    above = layout.skipped + bool(layout.parts) + layout.level - 1
    below = collections.defaultdict(set)  # class -> folders in it
    over = collections.defaultdict(set)  # class -> folders around it
    for name in names:
        folders = _folders(name)
        if len(folders) > above:
            over[folders[above]].add(folders[above - layout.level + 1 : above])
            if len(folders) > above + 1:
                below[folders[above]].add(folders[above + 1])
    found = []
    deeper = {folder for inside in below.values() for folder in inside}
    if not asked and any(len(inside) > 1 for inside in below.values()):
        found.append(
            f"the classes are the first of two levels of folders ({listed(sorted(over))}); --class-level"
            f" {layout.level + 1} takes the second ({listed(sorted(deeper))})"
        )
    joined = sum(len(around) > 1 for around in over.values())
    if joined:
        found.append(f"{counted(joined, 'classes')} of the same name in several folders count as one each")
    return found


def _folders(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts[:-1]


def _check_clear(path: Path, folders: Folders, named: Mapping[str, int]) -> None:
    """Raise InputError if some top folders may be parts rather than classes."""
    inside = collections.defaultdict(set)
    for found in folders.values():
        if len(found) > 1:
            inside[found[0]].add(found[1])
    parts = sorted(top for top in named if top in inside)
    others = sorted({found[0] for found in folders.values() if found} - set(parts))
    way_out = "or say which folder names the class: 1, the first, or 2, the second, by --class-level"
    check(
        len(parts) < 2,
        f"{path} has the folders {listed(parts)}, which look like parts, beside {listed(others)}; move the others away,"
        f" {way_out}.",
    )
    alike = _alike(inside)
    check(
        not alike,
        f"The folders {listed(alike)} of {path} have sub-folders of the same names"
        f" ({listed(sorted(inside[alike[0]] & inside[alike[-1]])) if alike else ''}), so they may be parts or classes;"
        f" if they are parts, name them train and test, {way_out}.",
    )


def _alike(inside: Mapping[str, set[str]]) -> list[str]:
    """Some folders that have two sub-folders or more, all of the same names or, of a few folders, most of them."""
    groups = collections.defaultdict(list)
    for top, names in inside.items():
        if len(names) > 1:
            groups[frozenset(names)].append(top)
    same = next((sorted(tops) for tops in groups.values() if len(tops) > 1), [])
    if same or len(inside) > MAX_COMPARED_FOLDERS:
        return same
    for one, its in inside.items():
        for other, others in inside.items():
            shared = len(its & others)
            if one < other and shared > 1 and 2 * shared >= min(len(its), len(others)):
                return [one, other]
    return []
