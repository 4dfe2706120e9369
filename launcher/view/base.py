"""What every view needs: the protocol, and how errors and alarms are told.

Progress goes to stderr and results to stdout, so that a pipe gets the results.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from launch_quantization.errors import LauncherError
from launch_quantization.stream.events import Event
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view import summary
from launch_quantization.view.streams import write_line

LINE_LIMIT = 16000
"""Characters of one line; paths may make it long."""


class View(Protocol):
    """Takes what happens, in order; any method may raise Interrupted when nobody reads any more."""

    def note(self, message: str) -> None:
        """One line about what the launcher does."""

    def warn(self, message: str) -> None:
        """One line the user should see."""

    def build_line(self, line: str) -> None:
        """One line of build output, made safe to show."""

    def starting(self) -> None:
        """All is built, and the job is being started; its first word may take some seconds."""

    def log_line(self, line: str) -> None:
        """One line that the inside printed and that is no event, made safe to show."""

    def event(self, event: Event) -> None:
        """One event from inside."""

    def finished(self, result: Event | None, files: Sequence[Path]) -> None:
        """The job succeeded and its files are in place."""

    def failed(self, error: LauncherError) -> None:
        """The launcher is about to end with this error."""

    def close(self, exit_code: int) -> None:
        """Nothing more comes. Leaves the terminal as it was."""


def write_alarms(result: Event | None) -> None:
    """Print on stderr what must not be overlooked, where stdout is not for people."""
    for _, *lines in summary.alarms(result.data, notices=False) if result is not None else ():
        write_line(sys.stderr, "\n".join(filter(None, lines)))


def error_lines(error: LauncherError) -> list[str]:
    """The error as the user sees it."""
    lines = [f"error: {safe_text(error.message)}"]
    if error.remedy:
        lines.append(f"  {safe_text(error.remedy)}")
    return lines
