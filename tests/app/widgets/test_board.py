"""Boards: what reaches the browser."""

from types import SimpleNamespace

import pytest

from app.widgets import board


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
