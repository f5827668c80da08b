"""The lock file: every pin of requirements.txt and all that these bring, each with hashes, and no address."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def pins(file: str) -> dict[str, str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text)}


def test_the_lock_holds_what_is_required():
    required, locked = pins("requirements.txt"), pins("requirements.lock")
    assert required.items() <= locked.items(), "requirements.txt has changed: make requirements.lock anew, as it says"
    assert len(locked) > 2 * len(required)


def test_every_package_has_hashes_and_no_address():
    entries = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    entries = [entry for entry in entries if not entry.startswith("#")]
    assert entries and all(PIN.match(entry) and re.search("--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert not any(mark in "".join(entries) for mark in ("://", "@", "index-url", "find-links"))
