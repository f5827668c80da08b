"""README and manual are true: their examples run, their commands are understood, what they name is there."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from torch.utils.data import TensorDataset

from bon_core.cli.main import _parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MANUAL = (ROOT / "docs" / "manual.md").read_text(encoding="utf-8")
LIBRARY = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_example_of_the_library_runs(capsys):
    code, *loops = blocks(LIBRARY, "python")
    assert "range(100)" in code
    assert len(loops) == 3  # tests/bon_core/mining/test_sampler.py runs these
    exec(compile(code.replace("range(100)", "range(3)"), "library.md", "exec"), {"__name__": "__main__"})
    assert 0 < float(capsys.readouterr().out) <= 1


def test_the_loop_of_the_readme_runs():
    (code,) = blocks(README, "python")
    labels = torch.arange(128).repeat_interleave(4)
    names = {
        "labels": labels,
        "dataset": TensorDataset(torch.randn(512, 8), labels),
        "network": torch.nn.Linear(8, 128),
    }
    exec(compile(code, "README.md", "exec"), names)
    assert len(names["ids"]) == 128 and names["bag"].stats()["staleness"] < 1


def commands() -> list[str]:
    lines = "\n".join(block for text in (README, MANUAL) for block in blocks(text, "")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.startswith("python -m bon_core")]


@pytest.mark.parametrize("line", commands())
def test_the_commands_are_understood(line):
    assert _parser().parse_args(shlex.split(line)[3:]).command


def test_there_are_commands():
    assert len(commands()) >= 20


def test_make_and_settings_are_there():
    makefile = (ROOT / "Makefile").read_text()
    found = re.findall(r"make ([a-z][\w-]*)", README + CONTRIBUTING)
    assert "app" in found and "test-lowest" in found
    for name in found:
        assert re.search(rf"^{name}:", makefile, flags=re.MULTILINE), name
