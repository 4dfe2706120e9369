"""Signals as exceptions, and a way to finish what must not be cut in two.

The first SIGINT, SIGTERM, SIGHUP or SIGQUIT raises ``Interrupted`` in the main thread, wherever it is. From
then on everything is cleaning up, and further signals are ignored, but for where a stop is waited
for, in ``patience()``: there a second one raises again. Code that moves files into place or removes
a container runs in ``shield()``: a first signal that arrives there is raised when the shield ends.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from launch_quantization.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class _State:
    """What the handler needs to know. Only the main thread touches it."""

    shields = 0
    pending: int | None = None
    raised = False
    patient = False


def _handle(signum: int, _frame: FrameType | None) -> None:
    if _State.shields:
        _State.pending = signum
    else:
        _interrupt(signum)


def _interrupt(signum: int) -> None:
    if _State.raised and not _State.patient:
        return
    _State.raised = True
    raise Interrupted(signum)


def install() -> None:
    """Make the signals raise Interrupted. Call in the main thread, before anything that must be undone.

    A signal that was ignored when the launcher started (nohup, a background job) stays ignored.
    """
    _State.raised = False
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _handle)


@contextmanager
def shield() -> Iterator[None]:
    """Hold signals back while the body runs; nests.

    Raises:
        Interrupted: after the body, when a first signal came meanwhile and the body itself succeeded.
    """
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
    if not _State.shields and _State.pending is not None:
        signum, _State.pending = _State.pending, None
        _interrupt(signum)


@contextmanager
def patience() -> Iterator[None]:
    """While a job that was asked to end is waited for: a second signal raises Interrupted again."""
    _State.patient = True
    try:
        yield
    finally:
        _State.patient = False


@contextmanager
def handed_over() -> Iterator[None]:
    """Leave what the keyboard sends to an interactive child in the foreground while the body runs.

    The terminal sends Ctrl-C to the launcher as well as to the shell; there it is the shell's.
    """
    previous = {signum: signal.signal(signum, signal.SIG_IGN) for signum in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def retire() -> None:
    """Ignore the signals from here on: the exit code is known and nothing is left to stop."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
