"""The pages of docs: their picture of the rooms is that of the import test, their links lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.test_directions import ROOMS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def reached(rooms: dict[str, set[str]]) -> dict[str, set[str]]:
    """What each room can import, also by way of others."""

    def below(name: str) -> set[str]:
        return set().union(*({other} | below(other) for other in rooms.get(name, set())))

    return {name: below(name) for name in rooms}


def test_the_picture_of_the_rooms_is_true():
    drawn: dict[str, set[str]] = {name: set() for name in ROOMS}
    graph = re.search(r"```mermaid\ngraph TD\n(.*?)```", ARCHITECTURE, re.DOTALL)
    for upper, lower in re.findall(r"^ +(\w+) --> (\w+)$", graph[1], re.MULTILINE):
        drawn[upper].add(lower)
    assert reached(drawn) == reached(ROOMS)


def test_every_room_is_described():
    described = re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, re.MULTILINE)
    assert sorted(described) == sorted(name for name in ROOMS if not name.startswith("__"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    lost = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not lost


def test_files_that_contributors_are_sent_to_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:bon_core|app|tests|docs|benchmarks)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
