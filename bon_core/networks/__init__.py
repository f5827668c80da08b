"""Networks: backbones, the embedding network, and a data set sent through it. Names load torch when asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.networks.embedding import batch_of, embed
    from bon_core.networks.network import EmbeddingNetwork, build_network

__all__ = ["EmbeddingNetwork", "batch_of", "build_network", "embed"]
_MODULES = {"batch_of": "embedding", "embed": "embedding", "EmbeddingNetwork": "network", "build_network": "network"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
