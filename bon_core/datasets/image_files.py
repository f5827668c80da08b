"""The image files of a folder or a zip, found and opened without unpacking anything to disk."""

import collections
import io
import itertools
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from bon_core.base.files import check_text
from bon_core.base.intake import listed, shortened
from bon_core.config import InputError, check

FORMATS = {  # decoder -> endings; whatever a file is called, no other decoder looks at it: Pillow may run another
    # program for some, as Ghostscript for PostScript
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
LONGEST_NAME = 4096  # characters, with its folders; as long as a path may be on Linux

OTHER, HIDDEN, SPECIAL = "files of other kinds", "images under hidden names", "files of special kinds, such as pipes"
ZIP_LINKS, DEAD, LOOPS = "links in the zip", "links to nowhere", "links back to a folder around them"
CLOSED = "folders without the right to open them"
PassedOver = dict[str, list[str]]  # reason -> names


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The image files by name, and what else is there: reason -> names."""

    files: list["ImageFile"]
    passed_over: Mapping[str, list[str]]

    def counts(self) -> dict[str, int]:
        """How many were passed over, by reason; other kinds with their endings."""
        return {_with_endings(reason, names): len(names) for reason, names in self.passed_over.items()}


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """name: POSIX path below the folder or within the zip; size: bytes, unpacked."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def image_files(path: Path) -> Iterator[Listing]:
    """Yield the image files below `path`, sorted by name; a zip stays open inside the `with`.

    Links in a folder are followed, as data sets are often made of links; those in a zip are not.

    Raises
    ------
    InputError
        If there is no such folder or zip, a name is too long, or the zip is damaged, encrypted or names files outside
        itself.
    """
    passed_over: PassedOver = collections.defaultdict(list)
    if path.is_dir():
        yield Listing(files=_sorted(path, _in_folder(path, passed_over)), passed_over=passed_over)
        return
    check(path.is_file(), f"There is no folder or zip {path}; check the path.")
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory makes zipfile raise half a dozen types
        raise InputError(f"{path} is not a whole zip file ({error}); make or copy it again.") from error
    with archive:
        yield Listing(files=_sorted(path, _in_zip(path, archive, passed_over)), passed_over=passed_over)


def _with_endings(reason: str, names: list[str]) -> str:
    if reason != OTHER:
        return reason
    endings = collections.Counter(PurePosixPath(name).suffix.lower() or "none" for name in names).most_common()
    return f"{reason} ({listed(f'{ending} {count:,}' for ending, count in endings)})"


def _sorted(path: Path, found: Iterable[ImageFile]) -> list[ImageFile]:
    """By name; each name must be text and stand for one file."""
    files = sorted(found, key=lambda file: file.name)
    check_text(path, (file.name for file in files))
    twice = next((one.name for one, other in itertools.pairwise(files) if one.name == other.name), None)
    check(
        twice is None, f"The zip {path} holds two files named {twice!r}, but each needs a name of its own; rename one."
    )
    return files


def _in_folder(root: Path, passed_over: PassedOver) -> Iterator[ImageFile]:
    def closed(error: OSError) -> None:
        passed_over[CLOSED].append(str(error.filename))

    # folder -> the real folders that links led to on the way there
    ways: dict[str, tuple[Path, ...]] = {str(root): (root.resolve(),)}
    for folder, inner, file_names in os.walk(str(root), followlinks=True, onerror=closed):
        way = ways.pop(folder)
        _open_links(Path(folder), way, inner, ways, passed_over)
        for file_name in file_names:
            path = Path(folder, file_name)
            name = path.relative_to(root).as_posix()
            if path.is_symlink() and not path.exists():
                passed_over[DEAD].append(name)
            elif _wanted(name, passed_over):
                if path.is_file():
                    yield ImageFile(name=name, size=path.stat().st_size, open=partial(_opened, path))
                else:
                    passed_over[SPECIAL].append(name)


def _open_links(
    folder: Path, way: tuple[Path, ...], inner: list[str], ways: dict[str, tuple[Path, ...]], passed_over: PassedOver
) -> None:
    """Write down the ways to the folders `inner`, and take out of them the links that would lead in a circle."""
    for name in list(inner):
        path, itsway = folder / name, way
        if path.is_symlink():
            target = path.resolve()
            if any(real.is_relative_to(target) for real in (*way, folder.resolve())):
                inner.remove(name)
                passed_over[LOOPS].append(str(path))
                continue
            itsway = (*way, target)
        ways[os.path.join(str(folder), name)] = itsway


def _in_zip(path: Path, archive: zipfile.ZipFile, passed_over: PassedOver) -> Iterator[ImageFile]:
    for entry in archive.infolist():
        name = entry.filename
        inside = name and not name.startswith("/") and "\\" not in name and ":" not in name.split("/")[0]
        check(
            bool(inside) and ".." not in name.split("/"),
            f"The zip {path} names a file outside itself ({shortened(name)!r}), which is not safe; make the zip again"
            " from the folder of images.",
        )
        check(
            len(name) <= LONGEST_NAME,
            f"The zip {path} has a name of {len(name):,} characters ({shortened(name)!r}), but at most"
            f" {LONGEST_NAME:,} are read; rename it.",
        )
        if entry.is_dir():
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            passed_over[ZIP_LINKS].append(name)
            continue
        if not _wanted(name, passed_over):
            continue
        check(
            not entry.flag_bits & 1,
            f"The zip {path} is encrypted (first at {name!r}) and cannot be read; make it again without a password.",
        )
        yield ImageFile(name=name, size=entry.file_size, open=partial(_in_memory, archive, entry))


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def _in_memory(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    return io.BytesIO(archive.read(entry))


def _wanted(name: str, passed_over: PassedOver) -> bool:
    """An image by its suffix, neither hidden nor one of the shadow files that macOS adds to a zip."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
    image = name.lower().endswith(SUFFIXES)
    if hidden and image:
        passed_over[HIDDEN].append(name)
    elif not hidden and not image:
        passed_over[OTHER].append(name)
    return image and not hidden
