"""Which parameters decay: matrices and kernels do; norms, biases and what a loss learns do not."""

from typing import Any

from torch import nn
from torch.optim.lr_scheduler import LambdaLR


def parameter_groups(network: nn.Module, loss: nn.Module | None = None, *, weight_decay: float = 1e-4) -> list[Any]:
    """Parameter groups for an optimiser of `torch.optim`. Parameters that are frozen are left out.

    Decay pulls towards zero. The scale of a norm, a bias and the boundary beta of the margin loss have no reason to
    be there.
    """
    decays: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            (decays if parameter.ndim > 1 else free).append(parameter)
    free += [] if loss is None else [parameter for parameter in loss.parameters() if parameter.requires_grad]
    groups = [{"params": decays, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def set_step(scheduler: LambdaLR, step: int) -> None:
    """Let `step` be the next, with the learning rates of its schedule."""
    scheduler.last_epoch = step
    for group, rate, share in zip(
        scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = rate * share(step)
