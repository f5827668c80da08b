"""Where numba keeps what it has compiled. umap compiles as it is imported, and breaks off where numba finds no place.

numba itself writes beside the sources, or into the user's home. Both may be read-only, as SECURITY.md recommends.
"""

import os
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bon_core.base.paths import runs_folder

VARIABLE = "NUMBA_CACHE_DIR"
PRIVATE = "bon-numba-"
COMPILED = ("umap", "pynndescent", "bon_core")  # packages with compiled functions


def cache_folder() -> Path | None:
    """Where compiled code goes instead of beside the sources; None where numba can write there, or in the home.

    It must be this machine's own, as numba runs what it reads: so never a temporary folder that others may know.
    """
    named = os.environ.get(VARIABLE)
    if named and can_write(Path(named)):
        return Path(named)
    if all(can_write(folder / "__pycache__") for folder in _sources()):
        return None
    home = Path(os.path.expanduser("~"))  # still "~" where there is none
    folders = [home / ".cache" / "bon-explorer" / "numba"] if home.is_absolute() else []
    for folder in (*folders, runs_folder() / ".kept" / "numba"):
        if can_write(folder):
            return folder.resolve()
    return Path(_private_folder())


def prepare() -> None:
    """Choose the folder; to be called before umap, or a function of our own that is compiled, is imported."""
    folder = cache_folder()
    if folder is None:
        os.environ.pop(VARIABLE, None)  # it named a folder that cannot be written to
    else:
        os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:  # by a program that has called us; it has read the environment before
        sys.modules["numba"].config.CACHE_DIR = "" if folder is None else str(folder)


def can_write(folder: Path) -> bool:
    """Whether a file can be made in `folder`, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sources() -> list[Path]:
    found = [find_spec(name) for name in COMPILED]
    return [Path(spec.origin).parent for spec in found if spec is not None and spec.origin]


@cache
def _private_folder() -> str:
    """Of this process alone: compiled anew in each, but it works."""
    return tempfile.mkdtemp(prefix=PRIVATE)
