"""Where files lie in a checkout; tests/test_wheel.py looks at an installed wheel."""

from pathlib import Path

from bon_core import home, runs


def test_a_checkout_is_its_own_home(monkeypatch):
    root = Path(__file__).resolve().parents[2]
    assert not home.INSTALLED and root == home.HOME
    monkeypatch.delenv("BON_RUNS", raising=False)
    assert runs.runs_folder() == root / "models" / "runs"
    assert root / "data" / "cache" == home.DOWNLOADS
