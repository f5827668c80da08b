"""Where the program's own files lie, and where it may write.

In a checkout both are its folder. A wheel packs app/, data/ and models/ into bon_core/packed (see pyproject.toml),
which is not written to: what a user makes goes to ~/bon-explorer.
"""

import os
from pathlib import Path

PACKED = Path(__file__).resolve().parent / "packed"
INSTALLED = PACKED.is_dir()  # from a wheel
HOME = PACKED if INSTALLED else Path(__file__).resolve().parent.parent  # holds app/, data/, models/

OWN = Path(os.path.expanduser("~/bon-explorer"))  # unlike Path.expanduser, gives no error where there is no home
RUNS = OWN / "runs" if INSTALLED else HOME / "models" / "runs"  # unless BON_RUNS names another folder
DOWNLOADS = OWN / "data" if INSTALLED else HOME / "data" / "cache"
