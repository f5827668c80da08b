"""The directions of the house: who may import whom, and what the first page must not wait for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("bon_core/**/*.py"), *ROOT.glob("app/**/*.py")])
BOTTOM = {"config", "embeddings", "files", "home", "ids", "intake", "slices", "streams", "surroundings"}
SIDE_BY_SIDE = {"datasets", "networks", "mining", "division", "retrieval"}  # never import each other
ALLOWED = {  # what a unit of bon_core may import of bon_core, beside the bottom
    **{name: set() for name in BOTTOM | SIDE_BY_SIDE},
    "layout": set(),
    "projection": {"retrieval", "layout", "compiled"},
    "snapshot": {"retrieval"},
    "runs": {"snapshot"},
    "compiled": {"runs"},
    "training": {"datasets", "networks", "mining", "division", "runs"},
    "survey": {"datasets", "division", "mining", "retrieval", "projection", "snapshot"},
    "card": {"runs", "survey"},
    "evaluation": {"datasets", "networks", "retrieval", "projection", "survey", "runs"},
    "aftermath": {"retrieval", "projection", "survey", "evaluation"},
    "experiment": SIDE_BY_SIDE
    | {"projection", "training", "survey", "snapshot", "runs", "card", "evaluation", "aftermath"},
    "commands": SIDE_BY_SIDE
    | {"projection", "training", "survey", "snapshot", "runs", "card", "evaluation", "experiment"},
    "exports": {"datasets", "snapshot", "runs", "commands"},
    "explorer": {"datasets", "runs", "commands"},
    "doctor": {"runs", "compiled"},
    "cli": {"datasets", "commands", "experiment", "exports", "explorer", "runs", "doctor"},
    "__main__": {"cli"},
    "__init__": {"explorer"},
}
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
                assert unit(name) in {own} | BOTTOM | ALLOWED[own], f"{own} must not import {name}"


LIGHT = """runs snapshot datasets retrieval projection division.clustering division.schedule division.diagnostics
    mining.codes training.audit survey evaluation experiment commands exports explorer cli doctor"""


@pytest.mark.parametrize("module", LIGHT.split())
def test_import_is_light(module):
    code = f"import sys, bon_core.{module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.strip() == "[]"
