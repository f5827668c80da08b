"""What the process finds around it: room for its libraries, and a system that reads file names as text."""

import os
import sys

from bon_core.config import check

LEAST_ROOM = 2_000_000_000  # bytes of address space; with less, PyTorch and its threads end the process or hang


def check_room() -> None:
    """Raise InputError if a limit of this process (ulimit -v) leaves less address space than PyTorch takes."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    check(
        limit == resource.RLIM_INFINITY or limit >= LEAST_ROOM,
        f"This process may use {limit / 1e9:.1f} GB of address space, but PyTorch alone needs {LEAST_ROOM / 1e9:.0f}"
        " GB; raise the limit with ulimit -v unlimited.",
    )


def read_names_as_utf8() -> None:
    """Start this Python anew in its UTF-8 mode, if its locale (as LC_ALL=C) cannot tell a file name beyond ASCII."""
    if sys.getfilesystemencoding().lower() != "utf-8" and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"  # also for the processes that are started from here
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
