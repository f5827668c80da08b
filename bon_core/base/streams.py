"""The standard streams of a process, where whoever started it has closed one."""

import os
import sys


def reopen() -> None:
    """Put a closed stdin, stdout or stderr on nothing.

    Else the next file or socket to be opened takes its number, and what is printed there goes into that.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115  for as long as the process lives


def flush() -> None:
    """Print what is left; where its reader has gone, as `head` does, it goes nowhere, and nothing is said of it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
