"""How a run looks: a View takes what happens and prints it.

Progress goes to stderr and results to stdout, so that a pipe gets the results. Four views: a live
terminal (launcher/terminal.py), plain lines, JSON events (launcher/json_view.py), and quiet.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from launch_quantization.errors import Interrupted, LauncherError, OutputRefusedError
from launch_quantization.stream.events import Event
from launch_quantization.stream.sanitize import safe_path, safe_text
from launch_quantization.view import summary

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


@contextlib.contextmanager
def _readers_may_leave(stream: TextIO) -> Iterator[None]:
    """Turn the end of the reader of our output into an interruption like any signal."""
    try:
        yield
    except BrokenPipeError:
        silence()
        raise Interrupted(signal.SIGPIPE) from None
    except OSError as error:
        silence(stream.fileno())
        raise OutputRefusedError(
            f"cannot write to {stream.name}: {error.strerror}", "make room where its output goes"
        ) from error


def silence(*descriptors: int) -> None:
    """Point standard streams, both by default, at nothing: what is still buffered must not fail at exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors or (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def write_line(stream: TextIO | None, line: str) -> None:
    """Print one line now; what the stream's encoding lacks is escaped. A closed stream is None.

    Raises:
        Interrupted: the reader is gone (SIGPIPE).
        OutputRefusedError: it cannot be written, as to a file on a full disk.
    """
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    with _readers_may_leave(stream):
        stream.write(line.encode(encoding, errors="backslashreplace").decode(encoding) + "\n")
        stream.flush()


def write_alarms(result: Event | None) -> None:
    """Print on stderr what must not be overlooked, where stdout is not for people."""
    for _, *lines in summary.alarms(result.data, notices=False) if result is not None else ():
        write_line(sys.stderr, "\n".join(filter(None, lines)))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; a closed one is None."""
    return stream is not None and stream.isatty()


def error_lines(error: LauncherError) -> list[str]:
    """The error as the user sees it."""
    lines = [f"error: {safe_text(error.message)}"]
    if error.remedy:
        lines.append(f"  {safe_text(error.remedy)}")
    return lines


class PlainView:
    """Plain lines, for pipes, logs and dumb terminals."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._tenth = -1

    def _progress(self, line: str) -> None:
        if not self._quiet:
            write_line(sys.stderr, safe_text(line, LINE_LIMIT))

    def note(self, message: str) -> None:
        """Print it unless quiet."""
        self._progress(message)

    def warn(self, message: str) -> None:
        """Print it unless quiet."""
        self._progress(f"warning: {message}")

    def build_line(self, line: str) -> None:
        """Print it unless quiet."""
        self._progress(f"  {line}")

    def starting(self) -> None:
        """Nothing: the first stage says it."""

    def log_line(self, line: str) -> None:
        """Print it with --verbose."""
        if self._verbose:
            self._progress(f"  | {line}")

    def event(self, event: Event) -> None:
        """Print stages, every tenth of the progress, and messages."""
        data = event.data
        if event.name == "stage":
            self._tenth = -1
            self._progress(f"[{data['index']}/{data['total']}] {data['name']}")
        elif event.name == "progress":
            self._count(data["stage"], data["done"], data["total"], data["unit"])
        elif event.name == "log":
            self._progress(f"  {'warning: ' if data['level'] == 'warning' else ''}{data['message']}")
        elif event.name == "start":
            self._progress(start_line(event))

    def _count(self, stage: str, done: int, total: int | None, unit: str) -> None:
        if not total:
            return
        tenth = 10 * done // total
        if tenth and tenth != self._tenth:
            self._tenth = tenth
            self._progress(f"  {stage} {done}/{total} {unit}")

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


def choose_view(*, as_json: bool, quiet: bool, verbose: bool) -> View:
    """The view for these options and this terminal."""
    if as_json:
        from launch_quantization.view.json_view import JsonView

        return JsonView(verbose=verbose)
    if not quiet and is_terminal(sys.stderr) and os.environ.get("TERM", "dumb") != "dumb":
        from launch_quantization.view.terminal import TerminalView

        return TerminalView(verbose=verbose)
    return PlainView(quiet=quiet, verbose=verbose)
