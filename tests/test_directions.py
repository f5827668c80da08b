"""The directions of the house: who may import whom, and what the first page must not wait for."""

import ast
import subprocess
import sys
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("bon_core/**/*.py"), *ROOT.glob("app/**/*.py")])
ROOMS = {  # of bon_core: which others each may import; what stands above imports what stands below
    "settings": set(),
    "config": {"settings"},
    "base": {"config"},
    "datasets": {"base", "config"},
    "mining": {"base", "config"},
    "division": {"base", "config", "mining"},
    "networks": {"base", "config", "division"},
    "evaluation": {"base", "config", "datasets"},
    "maps": {"base", "config", "evaluation"},
}
ROOMS["runs"] = {*ROOMS}
ROOMS["training"] = {*ROOMS}
ROOMS["exports"] = {"base", "config", "datasets", "runs"}
ROOMS["explorer"] = {"base", "config", "datasets", "runs"}
ROOMS["cli"] = {*ROOMS}
ROOMS["__main__"] = {"cli"}
ROOMS["__init__"] = {"explorer", "mining", "division", "training"}
# Of the app, from below to above: a file imports its own layer and those under it, a page none of another page.
LAYERS = (
    "theme browsing names errors lifetime server jobs uploads",
    "address sidecar phases",
    "selection",
    "view",
    "pictures analysis",
    "cached",
    "figures url_state",
    "widgets.primitives",
    "widgets.charts widgets.map widgets.tools",
    "state",
    "starting warm",
    "views",
    "main",
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
HEAVY = ("torch", "umap", "faiss", "sklearn", "scipy", "kornia", "pytorch_metric_learning", "numba")


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, at the top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(dotted: str) -> int:
    """Of a module of the app; "app.widgets.map.webgl_map" is of the layer of `widgets.map`."""
    parts = dotted.split(".")[1:]
    name = next((name for name in (".".join(parts[:2]), parts[0]) if name in LAYER), None)
    assert name is not None, f"{dotted} has no layer yet; say in LAYERS where it belongs"
    return LAYER[name]


@pytest.mark.parametrize("path", [path for path in SOURCES if "app" in path.relative_to(ROOT).parts[:1]], ids=str)
def test_the_app_imports_downwards(path):
    own = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for name in imported(path):
        if name.split(".")[0] != "app":
            continue
        assert layer(name) <= layer(own), f"{own} must not import {name}, which stands above it"
        if own.startswith("app.views.") and name.startswith("app.views."):
            assert own.split(".")[2] == name.split(".")[2], f"{own} must not import {name} of another page"


def test_the_app_has_no_circle():
    sources = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.glob("app/**/*.py")}
    sources = {name.removesuffix(".__init__"): path for name, path in sources.items()}
    graph = {
        name: {end for end in map(partial(_module, sources), imported(path)) if end} for name, path in sources.items()
    }
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError


def _module(sources: dict[str, Path], name: str) -> str:
    """The module of the app that an imported name is, or is in; "" for others."""
    return name if name in sources else (_module(sources, name.rpartition(".")[0]) if "." in name else "")


def unit(dotted: str) -> str:
    return dotted.split(".")[1].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    inside = path.relative_to(ROOT).parts
    for name in imported(path):
        package = name.split(".")[0]
        if inside[0] == "bon_core":
            assert package not in ("app", "streamlit", "altair"), f"the library imports {name}"
            if package == "bon_core" and len(name.split(".")) > 1:
                own = inside[1].removesuffix(".py")
                assert unit(name) in {own} | ROOMS[own], f"{own} must not import {name}"


LIGHT = """datasets division evaluation maps mining networks runs exports explorer cli
    division.clustering division.schedule division.diagnostics mining.codes maps.projection runs.audit runs.store
    runs.build_snapshot evaluation.neighbours training.evaluator training.experiment cli.commands cli.main cli.doctor"""


@pytest.mark.parametrize("module", LIGHT.split())
def test_import_is_light(module):
    code = f"import sys, bon_core.{module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.strip() == "[]"
