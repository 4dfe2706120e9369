"""Signals as exceptions, and a way to finish what must not be cut in two.

SIGINT, SIGTERM and SIGHUP raise ``Interrupted`` in the main thread, wherever it is. Code that
removes a container or moves files into place runs in ``shield()``: a signal that arrives there is
kept and raised when the shield ends.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from launcher.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    """What the handler needs to know. Only the main thread touches it."""

    shields = 0
    pending: int | None = None


def _handle(signum: int, _frame: FrameType | None) -> None:
    if _State.shields:
        _State.pending = signum
        return
    raise Interrupted(signum)


def install() -> None:
    """Make the signals raise Interrupted. Call once, in the main thread.

    A signal that was ignored when the launcher started (nohup, a background job) stays ignored.
    """
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _handle)


@contextmanager
def shield() -> Iterator[None]:
    """Hold signals back while the body runs; nests.

    Raises:
        Interrupted: after the body, when a signal came meanwhile and the body itself succeeded.
    """
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
    if not _State.shields and _State.pending is not None:
        signum, _State.pending = _State.pending, None
        raise Interrupted(signum)


@contextmanager
def handed_over() -> Iterator[None]:
    """Leave SIGINT to an interactive child in the foreground while the body runs.

    The terminal sends Ctrl-C to the launcher as well as to the shell; there it is the shell's.
    """
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def retire() -> None:
    """Ignore the signals from here on: the exit code is known and nothing is left to stop."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
