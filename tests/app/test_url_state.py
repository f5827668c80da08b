"""Where one stands: what is chosen, what the address says, and what no longer can be."""

from streamlit.testing.v1 import AppTest

from app import browsing
from tests.app.records import at, words


def page() -> None:
    """A page whose only content is the place it stands at, among 0, 2, 4, ..., 98."""
    import numpy as np
    import streamlit as st

    from app import address, selection, url_state

    address.begin()
    if st.button("select"):
        selection.put(np.array([7]), origin="test")
    if st.button("go"):
        url_state.go("bucket", 8)
    stands = url_state.number("bucket", lambda value: value in range(0, 100, 2), fallback=40, words="bucket")
    st.html(f"stands at {stands}")
    address.send()


def visit(**query: str) -> AppTest:
    app = AppTest.from_function(page)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def test_without_a_choice_it_is_the_fallback_and_the_address_says_so():
    app = visit()
    assert "stands at 40" in words(app) and at(app, "bucket") == 40


def test_the_address_is_followed():
    app = visit(bucket="12")
    assert "stands at 12" in words(app)
    assert "stands at 12" in words(app.run())


def test_what_the_address_names_in_vain_is_said():
    for text in ("13", "200", "-2", "many", "9" * 30, ""):
        app = visit(bucket=text)
        assert f"The link names the bucket {text}, which is not there" in words(app) and "stands at 40" in words(app)


def test_a_choice_holds_until_the_selection_changes():
    app = visit(bucket="12")
    app.button[1].click().run()
    assert "stands at 40" not in words(app.run()) and "stands at 8" in words(app) and at(app, "bucket") == 8
    app.button[0].click().run()
    assert "stands at 40" in words(app)
    app.button[1].click().run()
    assert "stands at 8" in words(app.run())


def walk(app: AppTest, monkeypatch, **query: str) -> AppTest:
    """Back or Forward to an address."""
    app.query_params.clear()
    for key, value in query.items():
        app.query_params[key] = value
    monkeypatch.setattr(browsing, "walked", lambda: True)
    app.run()
    monkeypatch.undo()
    return app


def test_back_returns_to_the_number_of_the_address(monkeypatch):
    app = visit(bucket="12")
    app.button[1].click().run()
    assert "stands at 8" in words(walk(app, monkeypatch, bucket="8"))
    assert "stands at 12" in words(walk(app, monkeypatch, bucket="12"))
    assert "stands at 12" in words(app.run())
    assert "stands at 40" in words(walk(app, monkeypatch))
