"""Which locked packages have known vulnerabilities, by a database that is at hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import audit


def test_all_packages_of_all_locks_are_looked_up() -> None:
    names = {lock.name for lock in audit.locks()}
    assert {"tensorflow-2.14.txt", "tensorflow-1.15.txt", "dev.txt", "audit.txt"} <= names
    found = dict(audit.pinned(audit.ROOT / "image" / "requirements" / "tensorflow-2.14.txt"))
    assert found["intel-tensorflow"] == "2.14.0"
    for lock in audit.locks():
        lines = [line for line in lock.read_text().splitlines() if re.match(r"\S+==", line)]
        assert len(audit.pinned(lock)) == len(lines) > 0


@pytest.mark.parametrize(
    ("version", "inside"),
    [("0.9", False), ("1.0", True), ("1.4.9", True), ("1.5", False), ("2.0", True), ("2.2", False)],
)
def test_ranges(version: str, inside: bool) -> None:
    from packaging.version import Version

    events = [{"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"last_affected": "2.1"}]
    assert audit.is_within(Version(version), events) == inside


def test_what_nobody_has_looked_at_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(audit, "KNOWN", tmp_path / "known.txt")
    audit.KNOWN.write_text("# comment\n* numpy never called\ntensorflow-1.15 scipy pinned by it\n")
    found = [
        audit.Advisory("image/requirements/tensorflow-1.15.txt", "scipy", "1.0", "PYSEC-1", "1.8"),
        audit.Advisory("image/requirements/tensorflow-2.14.txt", "scipy", "1.0", "PYSEC-1", "1.8"),
        audit.Advisory("tests/requirements/dev.txt", "numpy", "1.0", "PYSEC-2", ""),
    ]
    text, new = audit.report(found, "a test")
    assert new == 1
    assert "| tensorflow-2.14.txt | scipy 1.0 | 1: PYSEC-1 | 1.8 | **NEW** |" in text.replace("image/requirements/", "")
    assert "never called" in text


def test_a_folder_that_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkout"):
        list(audit.from_folder(tmp_path))
