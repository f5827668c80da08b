"""Boards: what reaches the browser."""

import re
from types import SimpleNamespace

import pytest

from app.widgets.primitives import board


@pytest.fixture
def drawn(monkeypatch):
    """The HTML that the last board sent."""
    sent = []
    monkeypatch.setattr(board, "_board", lambda *, data, **_: sent.append(data["html"]) or SimpleNamespace(picked="7"))
    return sent


def test_a_sheet_of_pictures_is_sent_once_and_as_a_rule(drawn):
    picture = "url(data:image/png;base64,AAAA=)"
    picked = board.board(f'<div style="--sheet:{picture};--columns:2">x</div>', key="a", css=".x {}")
    assert picked == "7"
    assert drawn == [
        f'<style>.x {{}}.board .face.face {{background-image: {picture}}}</style><div style="--columns:2">x</div>'
    ]


def test_two_sheets_stay_where_they_are(drawn):
    content = "".join(f'<div style="--sheet:url(data:{number});--size:2px"></div>' for number in (1, 2))
    board.board(content, key="a")
    assert drawn == [content]


def test_words_are_escaped():
    assert board.text('<b title="x">') == "&lt;b title=&quot;x&quot;&gt;"


def test_a_tile_without_a_picture_has_a_cut_name_and_the_whole_on_hover(view, monkeypatch):
    long = tuple(f"a name of a class that is long indeed {number}" for number in range(len(view.snapshot.class_names)))
    monkeypatch.setattr(board.cached, "sprite", lambda *_: None)
    view.snapshot.meta["class_names"] = list(long)
    sheet = board.Sheet(view, view.ids[:1])
    tile, whole = sheet.face(view.ids[0]), view.class_name(view.rows[0])
    name = re.search("<bdi>(.*)</bdi>", tile)[1]
    assert whole in tile and len(name) <= board.TILE and name[-2:] == whole[-2:] and "overflow-wrap" not in board.CSS
