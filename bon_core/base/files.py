"""Files that appear whole or not at all, and files of strangers read as data: nothing in them is executed.

Writing goes to a temporary name beside the file, which is synced and renamed. What a kill leaves of it has a hidden
name that no reader looks at, and `sweep` takes it away.
"""

import json
import mmap
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bon_core.config import InputError, check

LARGEST_FILE = 8 << 30  # bytes unpacked; a small archive can claim to hold terabytes
LARGEST_TEXT = 1 << 28  # bytes of a text read at once
LONGEST_LINE = 1 << 20  # bytes of a line of an event or log file
LARGEST_NUMBER = 2.0**53  # in JSON; beyond, nothing of ours is counted
IN_MEMORY = 1 << 27  # bytes; a larger array of `scratch` is in a file
TEMPORARY = re.compile(r"\..+-[a-z0-9_]{8}(\.\w+)?")  # as tempfile names them below


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path` in one step, on error it is removed.

    The folder of `path` must be there: a run that was deleted is not brought back by halves.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o644)  # mkstemp makes private files; these are meant to be shared
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it becomes `path`, an old folder there being replaced.

    Replacing takes two renames. A kill between them leaves no folder, and the old one under a hidden name.

    new : raise FileExistsError or OSError instead of replacing a folder that is there by then
    """
    path = Path(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
            else:
                _sync_folder(file)
        temporary.chmod(0o755)
        if path.exists() and not new:
            outgoing = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            path.replace(outgoing / path.name)
            temporary.replace(path)
            shutil.rmtree(outgoing)
        else:
            temporary.rename(path)  # fails if somebody else has filled the place meanwhile
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def scratch(shape: tuple[int, ...]) -> np.ndarray:
    """An empty float32 array; a large one is in an unnamed file, so that the system may take it out of memory.

    The file is in TMPDIR, else in /var/tmp: in /tmp it would often be in memory after all. Where no file can be had, it
    is in memory.
    """
    size = 4 * int(np.prod(shape))
    if size > IN_MEMORY:
        folder = os.environ.get("TMPDIR", "/var/tmp")
        with suppress(OSError, AttributeError), tempfile.TemporaryFile(dir=folder) as file:  # macOS has no fallocate
            os.posix_fallocate(file.fileno(), 0, size)  # a disk that is found full later ends the process
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype=np.float32).reshape(shape)
    return np.empty(shape, dtype=np.float32)


def leftovers(folder: Path) -> list[Path]:
    """What interrupted writing left in a folder and in its folders."""
    return [path for path in (*folder.glob(".*"), *folder.glob("[!.]*/.*")) if TEMPORARY.fullmatch(path.name)]


def sweep(folder: Path) -> None:
    """Remove the leftovers of a folder in which nobody writes now."""
    for path in leftovers(folder):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def path_of(text: str | Path) -> Path:
    """The path that somebody wrote, with ~ resolved; it need not exist.

    Raises
    ------
    InputError
        If no file system can have such a path, it is no Unicode text, or it may not be looked at.
    """
    try:
        str(text).encode("utf-8")  # a name that is no text could not be written into a config
        path = Path(text).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, RuntimeError, ValueError) as error:
        reason, remedy = error.strerror if isinstance(error, OSError) else error, "check how it is written"
        if isinstance(error, UnicodeEncodeError):
            encoding = sys.getfilesystemencoding()
            utf8 = encoding.lower() == "utf-8"
            reason = "it is no valid UTF-8" if utf8 else f"file names are read as {encoding} here"
            remedy = "rename the file" if utf8 else "start Python with PYTHONUTF8=1 in the environment"
        shown = str(text) if len(str(text)) <= 80 else f"{str(text)[:77]}..."
        raise InputError(f"{shown!r} cannot be a path here ({reason}); {remedy}.") from error
    return path


@contextmanager
def opened(path: Path, *, most: int = LARGEST_FILE) -> Iterator[BinaryIO]:
    """Open a file of somebody else to read: a regular one of at most `most` bytes, or it is refused without waiting.

    Raises
    ------
    InputError
        If it is a pipe, a device, a folder or larger.
    OSError
        If it is not there or may not be read.
    """
    # Without O_NONBLOCK, opening a pipe into which nobody writes never ends.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        _check_kind(path, os.fstat(handle), most)
        yield file


def check_regular(path: Path) -> None:
    """As `opened`, of any size, before a library opens the file by its path."""
    _check_kind(path, os.stat(path), None)


def read_text(path: Path, *, most: int = LARGEST_TEXT) -> str:
    """The text of a regular file.

    Raises
    ------
    InputError
        If there is none, it may not be read, is larger than `most` bytes, or is no UTF-8.
    """
    try:
        with opened(path, most=most) as file:
            return file.read(most).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"{path} cannot be read ({reason}); restore the file, or delete the run.") from error


def read_json(path: Path, *, most: int = LARGEST_TEXT) -> Any:
    """The value in a JSON file, of whole numbers up to 19 digits, nested no deeper than Python can follow.

    Raises
    ------
    InputError
        As `read_text`, or if it is no such JSON.
    """
    text = read_text(path, most=most)
    try:
        return json_of(text)
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({reason_of(error)}); restore the file, or delete the run.") from error


def json_of(text: str) -> Any:
    """The value of a JSON text, of whole numbers up to 19 digits; ValueError if it is none or is nested too deep."""
    try:
        return _JSON.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file of lines, [] if there is none; what is no whole object of ours is skipped.

    Raises
    ------
    InputError
        If it is no regular file, larger than LARGEST_TEXT, or may not be read.
    """
    found = []
    try:
        with opened(path, most=LARGEST_TEXT) as lines:
            while line := lines.readline(LONGEST_LINE):
                with suppress(ValueError):
                    entry = json_of(line.decode("utf-8", "replace")) if line.endswith(b"\n") else None
                    if isinstance(entry, dict):
                        found.append(entry)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); restore the file, or delete the run.") from error
    return found


def is_number(value: Any) -> bool:
    """Whether a value out of JSON is a finite number that nothing overflows on."""
    return type(value) in (int, float) and abs(value) <= LARGEST_NUMBER  # of NaN, no comparison holds


def _whole(digits: str) -> int:
    if len(digits) > 19:
        raise ValueError("it holds a number of too many digits")
    return int(digits)


_JSON = json.JSONDecoder(parse_int=_whole)


def _check_kind(path: Path, found: os.stat_result, most: int | None) -> None:
    check(
        stat.S_ISREG(found.st_mode),
        f"{path} is {_kind(found.st_mode)}, and only regular files are read; put the file itself there.",
    )
    check(
        most is None or found.st_size <= most,
        f"{path} has {found.st_size / 2**20:,.0f} MiB, but at most {(most or 0) / 2**20:,.0f} MiB are read; save a part"
        " of it.",
    )


def _kind(mode: int) -> str:
    kinds = {"a pipe": stat.S_ISFIFO, "a folder": stat.S_ISDIR, "a socket": stat.S_ISSOCK}
    return next((words for words, holds in kinds.items() if holds(mode)), "a device")


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file; pickled objects are refused, as reading one can run any program.

    Raises
    ------
    InputError
        If the file is missing, not an .npz, damaged, larger unpacked than LARGEST_FILE or than the memory that is
        free, or holds objects or anything but arrays.
    """
    check(path.is_file(), f"There is no file {path}; check the path.")
    try:
        with opened(path) as file:
            with zipfile.ZipFile(file) as archive:
                _check_size(path, sum(entry.file_size for entry in archive.infolist()))
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
    except InputError:
        raise
    except Exception as error:  # damaged archives make zipfile, zlib, lzma and numpy raise a dozen types
        if "Object arrays" in str(error):
            raise InputError(
                f"{path} holds pickled Python objects, which are not read as they can run any program;"
                " save plain numeric or text arrays (dtype=str for names)."
            ) from error
        raise InputError(f"{path} is not a whole .npz file ({reason_of(error)}); write or copy it again.") from error
    strange = [key for key, array in arrays.items() if not isinstance(array, np.ndarray)]
    check(
        not strange,
        f"{path} holds {strange[:1]}, which is no array; write the file with numpy.savez.",
    )
    for array in arrays.values():
        check_characters(path, array)
    return arrays


def reason_of(error: Exception) -> str:
    """The first line of what a library says, to stand in brackets inside a sentence."""
    text = re.sub(r"<[\w. ]+ object at 0x[0-9a-f]+>", "of this kind", str(error).partition("\n")[0])
    return text.rstrip(".: ") or type(error).__name__


def check_text(path: Path, texts: Iterable[str]) -> None:
    """Raise InputError if a name out of `path` cannot be written down as UTF-8, as half a surrogate pair cannot."""
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(f"{path} has the name {text!r}, which is no valid Unicode text; rename it.") from error


def check_characters(path: Path, array: np.ndarray) -> None:
    """Raise InputError if a text in `array` holds a code point that is none, or is half a surrogate pair."""
    if array.dtype.kind != "U" or not array.size:
        return
    codes = np.ascontiguousarray(array).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
    check(
        not ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any(),
        f"{path} holds text with characters that are no valid Unicode text; save it again.",
    )


def _check_size(path: Path, unpacked: int) -> None:
    import psutil

    free = psutil.virtual_memory().available
    check(
        unpacked <= min(LARGEST_FILE, free),
        f"{path} unpacks to {unpacked / 2**30:.1f} GiB, but at most {min(LARGEST_FILE, free) / 2**30:.1f} GiB are read"
        " here; save a part of it.",
    )


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make a rename in `path` last through a power cut; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
