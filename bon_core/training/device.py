"""Where a training computes, and how finely."""

import torch

from bon_core.config import Device, Precision, check


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
