"""The view for a live terminal: stages with ticks, a bar with the time left, a table at the end.

rich is imported when the first thing must be drawn, not before: errors in the command line and
--help come without it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from launch_quantization.errors import LauncherError
from launch_quantization.stream.events import Event
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view import summary
from launch_quantization.view.base import LINE_LIMIT, error_lines
from launch_quantization.view.plain import PlainView, start_line
from launch_quantization.view.streams import is_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_ALARM_STYLE = {True: "bold red", False: "yellow"}


class TerminalView:
    """Draws on stderr; the summary goes to stdout, coloured when that is a terminal too."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._console: Console | None = None
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._began = 0.0

    def _make_console(self) -> Console:
        if self._console is None:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        return self._console

    def _say(self, message: str, style: str = "") -> None:
        self._make_console().print(safe_text(message, LINE_LIMIT), style=style or None)

    def note(self, message: str) -> None:
        """A dim line."""
        self._say(message, "dim")

    def warn(self, message: str) -> None:
        """A yellow line."""
        self._say(f"warning: {message}", "yellow")

    def build_line(self, line: str) -> None:
        """A dim, indented line."""
        self._say(f"  {line}", "dim")

    def starting(self) -> None:
        """A stage of its own: loading TensorFlow takes some seconds."""
        self._begin_stage("start")

    def log_line(self, line: str) -> None:
        """A dim, indented line, with --verbose."""
        if self._verbose:
            self._say(f"  │ {line}", "dim")

    def event(self, event: Event) -> None:
        """Move the stage on, the bar along, or print the message."""
        data = event.data
        if event.name == "start":
            self.note(start_line(event))
        elif event.name == "stage":
            self._finish_stage("✓", "green")
            self._begin_stage(data["name"])
        elif event.name == "progress" and self._progress is not None and self._task is not None:
            counted = f"{data['done']}/{data['total']} {data['unit']}" if data["total"] else ""
            self._progress.update(self._task, completed=data["done"], total=data["total"], counted=counted)
        elif event.name == "log" and data["level"] == "warning":
            self.warn(data["message"])
        elif event.name == "log":
            self.note(f"  {data['message']}")
        elif event.name == "result":
            self._finish_stage("✓", "green")

    def _begin_stage(self, name: str) -> None:
        self._stage, self._began = name, time.monotonic()
        if self._progress is None:
            self._progress = self._new_progress()
            self._progress.start()
        self._task = self._progress.add_task(name, total=None, counted="")

    def _new_progress(self) -> Progress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[counted]}", markup=False),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._make_console(),
            transient=True,
        )

    def _finish_stage(self, tick: str, style: str) -> None:
        if self._progress is None or self._task is None:
            return
        self._progress.remove_task(self._task)
        self._task = None
        from rich.text import Text

        seconds = time.monotonic() - self._began
        self._make_console().print(Text.assemble((tick, style), f" {self._stage:<12}", (f"{seconds:6.1f} s", "dim")))

    def finished(self, result: Event | None, files: Sequence[Path]) -> None:
        """The table and the figures."""
        self._stop()
        if result is None or not is_terminal(sys.stdout):
            PlainView().finished(result, files)
            if result is not None:
                self._show_alarm(result)
            return
        from rich.console import Console, Group, RenderableType
        from rich.table import Table
        from rich.text import Text

        ops = Table(box=None, header_style="bold", pad_edge=False)
        for index, title in enumerate(summary.OP_HEADER):
            ops.add_column(title, justify="left" if index == 0 else "right")
        for row in summary.op_rows(result.data):
            ops.add_row(*(Text(cell) for cell in row))
        known = Table.grid(padding=(0, 2))
        for label, value in summary.facts(result.data, files):
            known.add_row(Text(label, style="bold"), Text(value, overflow="fold"))
        left = [Text(f"  {line}", style="dim") for line in summary.reasons(result.data)]
        wrong = [
            Text.assemble((what, _ALARM_STYLE[grave]), f"\n{remedy}" if remedy else "", overflow="fold")
            for grave, what, remedy in summary.alarms(result.data)
        ]
        parts: list[RenderableType] = [
            Text(""),
            *([*wrong, Text("")] if wrong else []),
            ops,
            Text(""),
            *([Text("left in FP32:"), *left, Text("")] if left else []),
            known,
        ]
        Console(highlight=False, markup=False, emoji=False).print(Group(*parts))

    def _show_alarm(self, result: Event) -> None:
        """What is wrong, where the summary went into a pipe or a file."""
        for grave, what, remedy in summary.alarms(result.data):
            self._say(what, _ALARM_STYLE[grave])
            if remedy:
                self._say(remedy)

    def failed(self, error: LauncherError) -> None:
        """The error in red, after a cross at the stage that failed."""
        self._finish_stage("✗", "red")
        self._stop()
        first, *rest = error_lines(error)
        self._say(first, "bold red")
        for line in rest:
            self._say(line)

    def close(self, exit_code: int) -> None:
        """Give the terminal back as it was."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._task = None
