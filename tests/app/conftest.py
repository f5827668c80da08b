"""What visits to the app share: a runs folder of their own, a tiny run in it, and a way to open a page."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app.view import View
from app.widgets.primitives import board
from bon_core.base import paths
from bon_core.runs.run import Run
from tests.app.records import add_audit
from tests.app.tiny import make_images, make_run

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


@pytest.fixture
def empty_runs(tmp_path, monkeypatch):
    """A runs folder with nothing in it, bundled models out of sight."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("BON_RUNS", str(folder))
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    return folder


@pytest.fixture
def tiny_run(empty_runs, tmp_path) -> Run:
    """The run `tiny` with two snapshots, alone in the runs folder."""
    return make_run(empty_runs, make_images(tmp_path), tmp_path / "tiny.npz")


@pytest.fixture
def recorded(tiny_run) -> Run:
    """The run `tiny` with an audit log."""
    add_audit(tiny_run)
    return tiny_run


@pytest.fixture
def view(tiny_run) -> View:
    """The test split of its last snapshot, coloured by class."""
    return View(tiny_run, tiny_run.snapshot(), "test", "class")


@pytest.fixture
def drawn(monkeypatch) -> list[str]:
    """The HTML of every board in place of the board, without its styles; nothing is picked on any."""
    shown: list[str] = []

    def draw(*, data: dict, **_) -> SimpleNamespace:
        shown.append(data["html"].rpartition("</style>")[2])
        return SimpleNamespace(picked=None)

    monkeypatch.setattr(board, "_board", draw)
    return shown


@pytest.fixture
def visit():
    """visit("map", run="tiny") -> the AppTest of that page after its first run."""

    def open_page(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(MAIN, default_timeout=30)
        for key, value in query.items():
            app.query_params[key] = value
        if name != "start":
            app.switch_page(f"views/{name}/{name}.py")
        app.run()
        assert not app.exception, app.exception[0].stack_trace
        return app

    return open_page
