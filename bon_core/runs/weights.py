"""The trained network of a run: its weights are a safetensors file, data and never code."""

from typing import Any

import numpy as np

from bon_core.base.files import check_regular, reason_of
from bon_core.config import InputError
from bon_core.datasets import load_images
from bon_core.runs.run import WEIGHTS, Run

TRAINED_RUN = "it was made of embeddings, so choose a run that was trained"


def load_network(run: Run, channels: int) -> Any:
    """The trained network of a run, on the CPU, in evaluation mode.

    Raises
    ------
    InputError
        If there are no weights yet or they do not fit the config.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from bon_core.networks.network import build_network

    check_weights(run)
    path = run.path / WEIGHTS
    config = run.config
    network = build_network(config.network, config.division, channels=channels, seed=0)
    try:
        check_regular(path)
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError, MemoryError) as error:
        raise InputError(
            f"The weights of run {run.name} do not fit its config ({reason_of(error)}); restore the run's files."
        ) from error
    return network.eval()


def embed_image(run: Run, image: Any) -> np.ndarray:
    """Embed one picture (PIL.Image) as the run's images were: (D,) float32, unit.

    Raises
    ------
    InputError
        If the run has no trained weights.
    """
    from bon_core.datasets.folder import prepare
    from bon_core.networks.embedding import embed as embed_images

    images = load_images(run.config.data)
    network = load_network(run, images.channels)
    pixels = prepare(image, size=images.size, grey=images.channels == 1)
    return embed_images(network, pixels[None].copy(), device="cpu")[0]


def check_weights(run: Run) -> None:
    if not (run.path / WEIGHTS).exists():
        remedy = TRAINED_RUN if was_brought(run) else "train it to the end, or choose another run"
        raise InputError(f"Run {run.name} has no trained weights ({WEIGHTS}); {remedy}.")


def was_brought(run: Run) -> bool:
    """Whether the run was made of embeddings: nothing was trained."""
    return not (run.path / WEIGHTS).exists() and bool(run.snapshots()) and run.snapshot().meta["origin"] == "embeddings"
