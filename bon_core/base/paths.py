"""Where the program's own files lie, and where it may write.

In a checkout both are its folder. A wheel packs app/, data/ and models/ into bon_core/packed (see pyproject.toml),
which is not written to: what a user makes goes to ~/bon-explorer.
"""

import os
from pathlib import Path

BON_CORE = Path(__file__).resolve().parent.parent
PACKED = BON_CORE / "packed"
INSTALLED = PACKED.is_dir()  # from a wheel
HOME = PACKED if INSTALLED else BON_CORE.parent  # holds app/, data/, models/

OWN = Path(os.path.expanduser("~/bon-explorer"))  # unlike Path.expanduser, gives no error where there is no home
RUNS = OWN / "runs" if INSTALLED else HOME / "models" / "runs"  # unless BON_RUNS names another folder
DOWNLOADS = OWN / "data" if INSTALLED else HOME / "data" / "cache"
MODELS = HOME / "models"  # the bundled runs


def runs_folder() -> Path:
    """Where new runs go: BON_RUNS if set, else models/runs, or ~/bon-explorer/runs where no checkout is."""
    return Path(os.environ.get("BON_RUNS") or RUNS)


def indexes_folder() -> Path:
    """Where built indexes are kept: of this machine alone, as faiss trusts what it reads. None is read from a run."""
    return runs_folder() / ".kept" / "indexes"
