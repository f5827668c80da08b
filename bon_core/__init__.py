"""Bag of Negatives, divide and conquer, and an explorer: `bon_core.explore(embeddings, labels)` opens it on arrays."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bon_core.explorer import explore

__all__ = ["explore"]


def __getattr__(name: str) -> Any:
    """`explore`, loaded when asked for, so that `import bon_core` costs nothing."""
    if name == "explore":
        from bon_core.explorer import explore

        return explore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
