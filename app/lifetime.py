"""An explorer that a script or a notebook opened ends when that does, however it does."""

import os
import signal
from threading import Thread

import psutil

from bon_core.explorer import WITH_PARENT


def end_with_parent() -> None:
    """Watch the process that started this one, if it asked for that in the environment, and end after it."""
    parent = psutil.Process().parent() if os.environ.get(WITH_PARENT) else None
    if parent is None:
        return

    def watch() -> None:
        parent.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, name="end with parent", daemon=True).start()
