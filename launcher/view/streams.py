"""Lines that reach the user, or end the run as a signal would. Imports little: ``--help`` needs no more of a view."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import TextIO

from launch_quantization.errors import Interrupted, OutputRefusedError


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


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; a closed one is None."""
    return stream is not None and stream.isatty()
