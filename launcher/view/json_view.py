"""The view for programs: events on stdout, one JSON object a line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from launch_quantization.errors import LauncherError
from launch_quantization.stream.events import Event
from launch_quantization.view.base import error_lines, write_alarms
from launch_quantization.view.streams import write_line


class JsonView:
    """Events on stdout, one JSON object a line; errors also on stderr, for people.

    The stream always ends with exactly one ``end``, which carries the launcher's exit code: what the
    inside calls its end is not yet the end of the run.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose

    def _emit(self, name: str, **data: object) -> None:
        text = json.dumps({"event": name, "time": round(time.time(), 3), **data}, allow_nan=False)
        write_line(sys.stdout, text)

    def note(self, message: str) -> None:
        """A log event."""
        self._emit("log", level="info", message=message)

    def warn(self, message: str) -> None:
        """A log event."""
        self._emit("log", level="warning", message=message)

    def build_line(self, line: str) -> None:
        """A log event, with --verbose."""
        if self._verbose:
            self.note(line)

    def starting(self) -> None:
        """Nothing: the start event says it."""

    def log_line(self, line: str) -> None:
        """A log event, with --verbose."""
        if self._verbose:
            self.note(line)

    def event(self, event: Event) -> None:
        """Pass it on, but for the end and the error, which the launcher says itself."""
        if event.name not in ("end", "error", "result"):
            write_line(sys.stdout, event.as_json())

    def finished(self, result: Event | None, files: Sequence[Path]) -> None:
        """The result event, with the files' host paths added; alarms also on stderr, for people."""
        data = {} if result is None else dict(result.data)
        self._emit("result", **{**data, "files": [os.fspath(file) for file in files]})
        write_alarms(result)

    def failed(self, error: LauncherError) -> None:
        """An error event, and the same for people on stderr."""
        self._emit("error", kind=error.kind, message=error.message, remedy=error.remedy)
        for line in error_lines(error):
            write_line(sys.stderr, line)

    def close(self, exit_code: int) -> None:
        """The end event."""
        self._emit("end", exit_code=exit_code)
