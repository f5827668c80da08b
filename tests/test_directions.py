"""The directions of the house: who may import whom, and what the first page must not wait for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("bon_core/**/*.py"), *ROOT.glob("app/**/*.py")])
ROOMS = {  # of bon_core: which others each may import; what stands above imports what stands below
    "config": set(),
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
ROOMS["__init__"] = {"explorer"}
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
                assert unit(name) in {own} | ROOMS[own], f"{own} must not import {name}"


LIGHT = """datasets division evaluation maps mining networks runs exports explorer cli
    division.clustering division.schedule division.diagnostics mining.codes maps.projection runs.audit runs.store
    runs.survey evaluation.neighbours training.evaluator training.experiment cli.commands cli.main cli.doctor"""


@pytest.mark.parametrize("module", LIGHT.split())
def test_import_is_light(module):
    code = f"import sys, bon_core.{module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.strip() == "[]"
