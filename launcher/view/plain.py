"""The view for pipes, logs and terminals that cannot move their cursor: plain lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from launch_quantization.errors import LauncherError
from launch_quantization.stream.events import Event
from launch_quantization.stream.sanitize import safe_path, safe_text
from launch_quantization.view import summary
from launch_quantization.view.base import LINE_LIMIT, error_lines, write_alarms
from launch_quantization.view.streams import write_line


class PlainView:
    """Plain lines, for pipes, logs and dumb terminals."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._tenth = -1

    def _tell_progress(self, line: str) -> None:
        if not self._quiet:
            write_line(sys.stderr, safe_text(line, LINE_LIMIT))

    def note(self, message: str) -> None:
        """Print it unless quiet."""
        self._tell_progress(message)

    def warn(self, message: str) -> None:
        """Print it unless quiet."""
        self._tell_progress(f"warning: {message}")

    def build_line(self, line: str) -> None:
        """Print it unless quiet."""
        self._tell_progress(f"  {line}")

    def starting(self) -> None:
        """Nothing: the first stage says it."""

    def log_line(self, line: str) -> None:
        """Print it with --verbose."""
        if self._verbose:
            self._tell_progress(f"  | {line}")

    def event(self, event: Event) -> None:
        """Print stages, every tenth of the progress, and messages."""
        data = event.data
        if event.name == "stage":
            self._tenth = -1
            self._tell_progress(f"[{data['index']}/{data['total']}] {data['name']}")
        elif event.name == "progress":
            self._count(data["stage"], data["done"], data["total"], data["unit"])
        elif event.name == "log":
            self._tell_progress(f"  {'warning: ' if data['level'] == 'warning' else ''}{data['message']}")
        elif event.name == "start":
            self._tell_progress(start_line(event))

    def _count(self, stage: str, done: int, total: int | None, unit: str) -> None:
        if not total:
            return
        tenth = 10 * done // total
        if tenth and tenth != self._tenth:
            self._tenth = tenth
            self._tell_progress(f"  {stage} {done}/{total} {unit}")

    def finished(self, result: Event | None, files: Sequence[Path]) -> None:
        """Print the summary on stdout; with quiet nothing but alarms, on stderr."""
        if self._quiet:
            write_alarms(result)
            return
        if result is None:
            write_line(sys.stdout, "\n".join(safe_path(file) for file in files))
            return
        wrong = [line for _, *lines in summary.alarms(result.data) for line in lines if line]
        lines = [*(["", *wrong] if wrong else []), "", *summary.op_table(result.data)]
        left = summary.reasons(result.data)
        if left:
            lines += ["", "left in FP32:", *(f"  {line}" for line in left)]
        known = summary.facts(result.data, files)
        lines += ["", *(f"{label:<11} {value}" for label, value in known)]
        write_line(sys.stdout, "\n".join(lines))

    def failed(self, error: LauncherError) -> None:
        """Print the error on stderr."""
        for line in error_lines(error):
            write_line(sys.stderr, line)

    def close(self, exit_code: int) -> None:
        """Nothing to put back."""


def start_line(event: Event) -> str:
    """What the inside says about itself, in one line."""
    data = event.data
    cpu = ", ".join(data["cpu"]) or "no AVX"
    onednn = "on" if data["onednn"] else "off"
    return f"TensorFlow {data['tensorflow']}, Python {data['python']}, oneDNN {onednn}, {cpu}"
