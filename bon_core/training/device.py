"""Where a training computes, how finely, and with which memory."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from bon_core.config import Device, Precision, check

KEEP_BLOCKS_BELOW = 1 << 30  # bytes: smaller blocks are kept for the next step when they are freed
MAX_KEPT_BYTES = (1 << 31) - 1  # bytes of them that are kept
GLIBC_DEFAULT = 1 << 22  # bytes: larger blocks go back to the system otherwise


def device_for(name: Device) -> torch.device:
    """The device of the setting "auto", "cpu" or "cuda"; among several GPUs the current one.

    Raises
    ------
    InputError
        If CUDA is asked for and not there.
    """
    there = torch.cuda.is_available()
    check(name != "cuda" or there, "The device is cuda, but no CUDA device is usable here; use --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and there else "cpu")


def precision_for(name: Precision, device: torch.device) -> torch.dtype:
    """In what the backbone computes: float32, or bfloat16 where "auto" finds a GPU that is made for it.

    Raises
    ------
    InputError
        If bfloat16 is asked for and the GPU can only imitate it.
    """
    on_gpu = device.type == "cuda"
    made_for_it = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    check(
        not (name == "bfloat16" and on_gpu) or made_for_it,
        "The precision is bfloat16, but this GPU does not compute in it; use --precision auto or float32.",
    )
    return torch.bfloat16 if name == "bfloat16" or (name == "auto" and made_for_it) else torch.float32


def check_compiles(device: torch.device) -> None:
    """Raise InputError where `torch.compile` is not worth its minutes."""
    check(
        device.type == "cuda",
        "Compiling (--compile) is for CUDA devices, but this training computes on the CPU; leave it out.",
    )


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Have this process keep blocks that it frees. Else the system takes back the large ones of each step, to clear
    them page by page for the next: a third of a step on the CPU. Afterwards it may have them. Where the C library is
    not glibc, nothing changes.
    """
    _set_kept(blocks=KEEP_BLOCKS_BELOW, at_most=MAX_KEPT_BYTES)
    try:
        yield
    finally:
        _set_kept(blocks=GLIBC_DEFAULT, at_most=GLIBC_DEFAULT)


def _set_kept(*, blocks: int, at_most: int) -> None:
    """From now on keep freed blocks of fewer bytes than `blocks`, and so many bytes of them."""
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(-3, blocks)  # M_MMAP_THRESHOLD
        library.mallopt(-1, at_most)  # M_TRIM_THRESHOLD
        library.malloc_trim(0)
