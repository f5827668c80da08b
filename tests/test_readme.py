"""The README is true: its example runs, its commands are understood, its figures and files are there."""

import re
import shlex
from pathlib import Path

import pytest

from bon_core.cli.main import _parser

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_example_runs(capsys):
    code, *loops = blocks("python")
    assert "range(100)" in code
    assert len(loops) == 3  # tests/bon_core/mining/test_sampler.py runs these
    exec(compile(code.replace("range(100)", "range(3)"), "README.md", "exec"), {"__name__": "__main__"})
    assert 0 < float(capsys.readouterr().out) <= 1


def commands() -> list[str]:
    lines = "\n".join(blocks("")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.startswith("python -m bon_core")]


@pytest.mark.parametrize("line", commands())
def test_the_commands_are_understood(line):
    assert _parser().parse_args(shlex.split(line)[3:]).command


def test_there_are_commands():
    assert len(commands()) >= 8


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()


def test_make_and_settings_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for name in re.findall(r"make (\w+)", TEXT):
        assert re.search(rf"^{name}:", makefile, flags=re.MULTILINE), name
