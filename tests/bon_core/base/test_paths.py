"""Where files lie in a checkout; tests/test_wheel.py looks at an installed wheel."""

from pathlib import Path

from bon_core.base import paths


def test_a_checkout_is_its_own_home(monkeypatch):
    root = Path(__file__).resolve().parents[3]
    assert not paths.INSTALLED and root == paths.HOME
    monkeypatch.delenv("BON_RUNS", raising=False)
    assert paths.runs_folder() == root / "models" / "runs"
    assert root / "data" / "cache" == paths.DOWNLOADS
