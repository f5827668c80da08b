"""What a light installation lacks, said in a sentence. `pip install bon-explorer` brings what miners, learners and runs
need; the rest comes by extras.
"""

from importlib.util import find_spec

from bon_core.config import check

# extra -> modules that it brings; `app` brings those of `train` as well. pyproject.toml names their packages.
EXTRAS = {
    "train": ("PIL", "kornia", "numba", "pytorch_metric_learning", "sklearn", "tqdm", "umap"),
    "app": ("altair", "pandas", "streamlit"),
}
INCLUDES = {"train": ("train",), "app": ("train", "app")}


def require(extra: str, purpose: str) -> None:
    """Raise InputError, with the remedy, if a module of the extra is missing; `purpose` says who needs it."""
    missing = [name for part in INCLUDES[extra] for name in EXTRAS[part] if find_spec(name) is None]
    check(not missing, f"{purpose} needs {', '.join(missing)}; run: pip install 'bon-explorer[{extra}]'.")


def remedy(module: str | None) -> str | None:
    """The sentence for a module that was not found; None if it is in no extra."""
    name = (module or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if name in modules), None)
    return extra and f"This needs {name}; run: pip install 'bon-explorer[{extra}]'."
