"""Ends the process at once on a signal, also while TensorFlow computes, and as process 1 of a container."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Callable, List, Sequence

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> List[Callable[[], None]]:
    """From now on SIGINT, SIGTERM and SIGHUP end the process with 128 + the signal's number.

    Python runs signal handlers between two bytecodes of the main thread, which may be minutes away in a native call;
    the wake-up descriptor is written at once, and another thread acts on it.

    Returns:
        A list; callables put there are run before the process ends, the last first.
    """
    clean_ups: List[Callable[[], None]] = []
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _do_nothing)
    threading.Thread(target=_wait, args=(reader, clean_ups), name="ending", daemon=True).start()
    return clean_ups


def _do_nothing(_number: int, _frame: Any) -> None:
    """Only there so that the wake-up descriptor is used."""


def _wait(reader: int, clean_ups: Sequence[Callable[[], None]]) -> None:
    number = os.read(reader, 1)[0]
    try:
        for clean_up in reversed(clean_ups):
            clean_up()
    finally:
        os._exit(128 + number)
