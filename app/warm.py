"""Loads what the first pages need while the browser is still busy with its shell, so that nobody waits for it."""

from functools import cache
from importlib import import_module
from threading import Thread, Timer

from app import pictures
from bon_core.config import InputError
from bon_core.runs import store

FIRST = ("pandas", "pyarrow", "PIL.Image", "PIL.PngImagePlugin", "bon_core.mining.codes")  # for the first map
MINERS = ("torch", "faiss", "pytorch_metric_learning.losses", "pytorch_metric_learning.miners")
MINERS_AFTER_S = 1.5  # the page that asks for them is drawn by then
LATER = ("scipy.special",)  # for what Compare weighs


def begin() -> None:
    """Start loading in the background; once for the server."""
    Thread(target=_load, name="warm-up", daemon=True).start()


@cache
def miners_soon() -> None:
    """Load the library's miners once the page that was opened is drawn: the next click may want them, and PyTorch takes
    seconds. Once for the server."""
    timer = Timer(MINERS_AFTER_S, _load_miners)
    timer.daemon = True
    timer.start()


def _load_miners() -> None:
    for name in MINERS:
        import_module(name)


def _load() -> None:
    for name in FIRST:
        import_module(name)
    try:
        for run in [run for run in store.list_runs() if run.bundled][:1]:
            pictures.image_set(run)
    except InputError:
        return  # the page itself will say what is wrong with the run
    for name in LATER:
        import_module(name)
