"""What every view needs: the protocol, and lines that reach the user or end the run as a signal would.

Progress goes to stderr and results to stdout, so that a pipe gets the results.
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
from launch_quantization.stream.sanitize import safe_text
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
