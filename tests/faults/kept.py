"""What has been run of a long table, a line of JSON each, so that a run that was broken off goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Kept:
    """Records by key, in a file.

    Args:
        path: the file.
        resume: whether what is there counts; else the file begins anew.
        of: what the records depend on, such as a seed; those of another are not taken.
    """

    def __init__(self, path: Path, resume: bool, of: str = "") -> None:
        self._path, self._of = path, of
        self.records: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and path.is_file():
            for line in path.read_text("utf-8").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:  # it was being written
                    continue
                if record.pop("of") == of:
                    self.records[record.pop("key")] = record
        self._path.write_text("")
        for key, record in self.records.items():
            self._write(key, record)

    def add(self, key: str, record: dict[str, Any]) -> None:
        """Keep one more."""
        self.records[key] = record
        self._write(key, record)

    def _write(self, key: str, record: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"of": self._of, "key": key, **record}) + "\n")
