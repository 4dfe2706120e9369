"""A shell in a container: this terminal becomes its terminal, or this process's streams its streams."""

from __future__ import annotations

import os
import select
import signal
import socket
import ssl
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from launch_quantization.errors import Interrupted
from launch_quantization.runtimes.docker.container import Attachment, Demultiplexer

Resize = Callable[[int, int], None]
"""Takes rows and columns."""

_CHUNK = 65536


def has_terminal() -> bool:
    """Whether a person sits in front of both our standard input and output."""
    return os.isatty(0) and os.isatty(1)


def interact(attachment: Attachment, resize: Resize) -> None:
    """Be the container's terminal until its stream ends.

    The terminal is raw meanwhile, so every key, Ctrl-C included, goes to the shell inside; and as it
    was before, however this ends.

    Args:
        attachment: to a container with a pseudo-terminal, started.
        resize: told the size of the window now, and each time it changes.
    """
    with _make_raw(0), _window_changes() as changes:
        _relay(attachment, lambda data: _write(1, data), changes, lambda: resize(*_read_size()))


def pipe(attachment: Attachment) -> None:
    """Carry standard input to the container, and its output and errors back, until its stream ends."""
    demultiplexer = Demultiplexer()

    def show(data: bytes) -> None:
        for stream, piece in demultiplexer.feed(data):
            _write(1 if stream == "stdout" else 2, piece)

    _relay(attachment, show, None, lambda: None)


def _relay(
    attachment: Attachment, show: Callable[[bytes], None], changes: int | None, changed: Callable[[], None]
) -> None:
    """Move bytes both ways. Never waits to send while there is something to show: that could wait for ever."""
    connection = attachment.socket
    connection.setblocking(False)
    changed()
    pending = b""
    input_open = _is_open(0)
    while True:
        sources: list[Any] = [connection]
        if changes is not None:
            sources.append(changes)
        if input_open and not pending:
            sources.append(0)
        ready, writable, _ = select.select(sources, [connection] if pending else [], [])
        if changes is not None and changes in ready:
            os.read(changes, _CHUNK)
            changed()
        if writable:
            pending = _send(attachment, pending)
        if 0 in ready:
            pending = os.read(0, _CHUNK)
            if not pending:
                input_open = False
                if changes is not None:
                    return  # the terminal is gone, and with it who could end the shell
                _end_input(attachment)
        if connection in ready and not _show_some(attachment, show):
            return


def _show_some(attachment: Attachment, show: Callable[[bytes], None]) -> bool:
    """Show one piece of what has come; False at the end of the stream.

    Only one: a program that never stops writing must not keep Ctrl-C from being read. But TLS may hold
    bytes back that select cannot see, and those are shown too.
    """
    hidden = 1
    while hidden:
        try:
            data = attachment.socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except ConnectionResetError:
            return False
        if not data:
            return False
        show(data)
        hidden = attachment.socket.pending() if isinstance(attachment.socket, ssl.SSLSocket) else 0
    return True


def _send(attachment: Attachment, data: bytes) -> bytes:
    """Send what can be sent now; returns the rest."""
    try:
        return data[attachment.socket.send(data) :]
    except (BlockingIOError, ssl.SSLWantWriteError):
        return data
    except (BrokenPipeError, ConnectionResetError):
        return b""  # the shell is gone; its stream is about to end


def _end_input(attachment: Attachment) -> None:
    """Tell the shell that its input is at its end; its output still comes."""
    with suppress(OSError):  # it ended meanwhile
        attachment.socket.shutdown(socket.SHUT_WR)


def _write(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        raise Interrupted(signal.SIGPIPE) from None


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def _make_raw(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)  # the default would drop what was typed while the container started
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _window_changes() -> Iterator[int]:
    """A descriptor that becomes readable when the window changes its size."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def note(_signum: int, _frame: FrameType | None) -> None:
        try:
            os.write(writer, b"\0")
        except BlockingIOError:
            return  # full: it is readable already

    before = signal.signal(signal.SIGWINCH, note)
    try:
        yield reader
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reader)
        os.close(writer)


def _read_size() -> tuple[int, int]:
    size = os.get_terminal_size(1)
    return size.lines or 24, size.columns or 80  # a serial console does not know its size
