"""A folder to write into that holds nothing of anybody else."""

from fnmatch import fnmatch
from pathlib import Path

from bon_core.base.files import path_of
from bon_core.config import check


def folder_for(out: str | Path, *ours: str) -> Path:
    """The path of `out`, its parent made. It is not there yet, or holds only files that match the patterns `ours`.

    Raises
    ------
    InputError
        If it is a file, or holds something else, which a new export would sweep away.
    """
    path = path_of(out)
    check(path.is_dir() or not path.exists(), f"{path} is a file, but a folder is written here; name another place.")
    others = [each.name for each in path.glob("*") if not any(fnmatch(each.name, pattern) for pattern in ours)]
    check(
        not others,
        f"The folder {path} holds {others[:1]}, which is no earlier export and would be lost; name a new folder.",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
