"""Ways on: every page but the one that one is on."""

import pytest

from app.main import PAGES
from app.widgets.primitives import links


@pytest.fixture
def linked(monkeypatch) -> list[str]:
    pages: list[str] = []
    monkeypatch.setattr(links.st, "page_link", lambda page, **_: pages.append(page))
    return pages


@pytest.mark.parametrize("here", ["map", "compare"])
def test_all_pages_but_this_one(linked, here):
    links.follow(but=here)
    assert linked == [f"views/{name}/{name}.py" for name in links.PAGES if name != here]


def test_every_link_leads_to_a_page_with_its_own_icon(linked):
    icons = {name: icon for name, _, icon in PAGES}
    assert all(icons[name] == icon for name, (_, icon) in links.PAGES.items())
