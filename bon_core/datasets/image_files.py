"""The image files of a folder or a zip, found and opened without unpacking anything to disk."""

import io
import itertools
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from bon_core.config import InputError, check
from bon_core.files import check_text

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """name: POSIX path below the folder or within the zip; size: bytes, unpacked."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def image_files(path: Path) -> Iterator[list[ImageFile]]:
    """Yield the image files below `path`, sorted by name; a zip stays open inside the `with`.

    Hidden files, __MACOSX and links that lead out of a folder are passed over.

    Raises
    ------
    InputError
        If there is no such folder or zip, or the zip is damaged, encrypted or names files outside itself.
    """
    if path.is_dir():
        yield _sorted(path, _in_folder(path))
        return
    check(path.is_file(), f"There is no folder or zip {path}; check the path.")
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory makes zipfile raise half a dozen types
        raise InputError(f"{path} is not a whole zip file ({error}); make or copy it again.") from error
    with archive:
        yield _sorted(path, _in_zip(path, archive))


def _sorted(path: Path, found: Iterable[ImageFile]) -> list[ImageFile]:
    """By name; each name must be text and stand for one file."""
    files = sorted(found, key=lambda file: file.name)
    check_text(path, (file.name for file in files))
    twice = next((one.name for one, other in itertools.pairwise(files) if one.name == other.name), None)
    check(
        twice is None, f"The zip {path} holds two files named {twice!r}, but each needs a name of its own; rename one."
    )
    return files


def _in_folder(root: Path) -> Iterator[ImageFile]:
    home = root.resolve()
    for folder, _, file_names in os.walk(root, followlinks=False):
        for file_name in file_names:
            path = Path(folder) / file_name
            name = path.relative_to(root).as_posix()
            if _wanted(name) and path.resolve().is_relative_to(home) and path.is_file():
                yield ImageFile(name=name, size=path.stat().st_size, open=lambda path=path: path.open("rb"))


def _in_zip(path: Path, archive: zipfile.ZipFile) -> Iterator[ImageFile]:
    for entry in archive.infolist():
        name = entry.filename
        inside = name and not name.startswith("/") and "\\" not in name and ":" not in name.split("/")[0]
        check(
            bool(inside) and ".." not in name.split("/"),
            f"The zip {path} names a file outside itself ({name!r}), which is not safe; make the zip again from the"
            " folder of images.",
        )
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if entry.is_dir() or link or not _wanted(name):
            continue
        check(
            not entry.flag_bits & 1,
            f"The zip {path} is encrypted (first at {name!r}) and cannot be read; make it again without a password.",
        )
        yield ImageFile(name=name, size=entry.file_size, open=lambda entry=entry: io.BytesIO(archive.read(entry)))


def _wanted(name: str) -> bool:
    """An image by its suffix, neither hidden nor one of the shadow files that macOS adds to a zip."""
    parts = PurePosixPath(name).parts
    return name.lower().endswith(SUFFIXES) and not any(part.startswith(".") or part == "__MACOSX" for part in parts)
