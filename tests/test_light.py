"""A light installation: what miners, learners and runs work with, and the sentence where an extra is missing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bon_core.base import extras

ROOT = Path(__file__).parent.parent
MODULES = {"pillow": "PIL", "umap-learn": "umap", "scikit-learn": "sklearn"}  # packages whose module is named otherwise
BLOCKED = """
import sys
from importlib.machinery import PathFinder

found_by_path = PathFinder.find_spec

def find(name, path=None, target=None):
    return None if name.partition(".")[0] in {blocked!r} else found_by_path(name, path, target)

PathFinder.find_spec = staticmethod(find)
"""
CORE = """
import torch
from bon_core.division import clustering, heads, schedule, slices
from bon_core.mining import BagOfNegatives, MinedBatchSampler
from bon_core.runs import audit, store

labels = torch.arange(240) // 4
bag = BagOfNegatives(labels, dim=8)
for batch in MinedBatchSampler(bag, classes=8, images=2, groups=2, batches=3):
    ids = torch.tensor(batch)
    bag.update(ids, torch.nn.functional.normalize(torch.randn(len(ids), 8)))
vectors = torch.randn(300, 8).numpy()
found = clustering.cluster(vectors, 3, seed=0).labels
assert clustering.match(found, found, 3).tolist() == [0, 1, 2]
run = store.open_run("glyphs-bon-dc4")
steps = audit.audit_steps(run.path)
print(bag.stats()["entropy_share"] > 0, len(run.snapshot()), len(run.events("step")) > 0, len(steps) > 0)
"""
COMMAND = "from bon_core.cli.main import main; sys.exit(main({arguments!r}))"


def python(code: str, *extra: str) -> subprocess.CompletedProcess:
    """Run `code` as if the packages of these extras were not installed."""
    blocked = {module for name in extra for module in extras.EXTRAS[name]}
    code = BLOCKED.format(blocked=blocked) + code
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def test_miners_learners_and_runs_need_no_extra():
    done = python(CORE, "train", "app")
    assert done.stdout.split() == ["True", "30465", "True", "True"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "lacks", "sentence"),
    [
        (["app"], "app", r"The explorer needs altair, pandas, streamlit; run: pip install 'bon-explorer\[app\]'\."),
        (["train", "--run", "x"], "train", r"Training needs PIL, .*umap; run: pip install 'bon-explorer\[train\]'\."),
        (
            ["snapshot", "--run", "x"],
            "train",
            r"Making a map needs PIL, .*; run: pip install 'bon-explorer\[train\]'\.",
        ),
        (["app"], "train", r"The explorer needs PIL, .*; run: pip install 'bon-explorer\[app\]'\."),
    ],
)
def test_a_command_names_the_extra_that_it_needs(arguments, lacks, sentence):
    done = python(COMMAND.format(arguments=arguments), lacks)
    assert done.returncode == 2 and re.fullmatch(sentence, done.stderr.strip()), done.stderr


def test_a_module_that_turns_out_to_be_missing_is_named_with_its_extra(monkeypatch, capsys):
    from bon_core.cli import main as command_line

    def broken(options):
        raise ModuleNotFoundError("No module named 'sklearn.metrics'", name="sklearn.metrics")

    monkeypatch.setitem(command_line._COMMANDS, "doctor", broken)
    assert command_line.main(["doctor"]) == 2
    assert capsys.readouterr().err == "This needs sklearn; run: pip install 'bon-explorer[train]'.\n"


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def packages(lines: list[str]) -> dict[str, str]:
    """Name -> lower bound."""
    return dict(line.split(">=") for line in lines if ">=" in line)


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_extras_are_those_of_the_project(extra):
    named = packages(project()["optional-dependencies"][extra])
    modules = {MODULES.get(name, name.replace("-", "_")) for name in named}
    assert modules == set(extras.EXTRAS[extra])


def test_the_pinned_whole_is_the_core_and_the_extras_of_training_and_app():
    pins = dict(re.findall(r"^([\w.-]+)==([\d.]+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    found, optional = project(), project()["optional-dependencies"]
    bounds = packages([*found["dependencies"], *optional["train"], *optional["app"]])
    assert bounds.keys() == {*pins, "scipy"}  # which scikit-learn brings
    bounds.pop("scipy")
    above = [name for name in bounds if version(bounds[name]) > version(pins[name])]
    assert not above, "a lower bound above what the tests run with"


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
