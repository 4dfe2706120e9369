"""The event stream from the job to its launcher: one JSON object a line on what was stdout."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from typing import Any

from intel_quantization.contract.events import LINE_LIMIT
from intel_quantization.contract.words import STAGES

MAX_LINE = LINE_LIMIT
"""Longest line in bytes, newline included; the launcher drops longer ones."""

_LONG_TEXT = 8 * 1024


def _make_plain(value: Any) -> Any:
    """``value`` as strict JSON can say it: numpy scalars become numbers, NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): _make_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_make_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return value[:_LONG_TEXT] + " [cut]"
    return value


def _encode(event: dict[str, Any]) -> bytes:
    return json.dumps(event, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


class EventStream:
    """Writes events to a file descriptor that nothing else writes to.

    Args:
        fd: an open descriptor; this object owns it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    @classmethod
    def claim_stdout(cls) -> EventStream:
        """Take stdout for events: whatever else this process or TensorFlow prints there goes to stderr from now on."""
        sys.stdout.flush()
        private = os.dup(1)
        os.dup2(2, 1)
        return cls(private)

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event with the time, in one piece.

        An event that would be longer than MAX_LINE loses items from the end of its longest list.

        Raises:
            BrokenPipeError: the launcher is gone.
        """
        record = _make_plain(dict({"event": event, "time": time.time()}, **fields))
        line = _encode(record)
        while len(line) > MAX_LINE:
            lists = [key for key in record if isinstance(record[key], list)]
            longest = max(lists, key=lambda key: len(_encode({key: record[key]})))
            record[longest] = record[longest][: len(record[longest]) * 3 // 4]
            line = _encode(record)
        with self._lock:
            while line:
                line = line[os.write(self._fd, line) :]

    def log(self, message: str, level: str = "info") -> None:
        """One line for the user; ``level`` is "info" or "warning"."""
        self.emit("log", level=level, message=message)

    def progress(self, stage: str, done: int, total: int, unit: str = "samples") -> None:
        """How many samples of ``stage`` are done; ``unit`` is what they are called: images, rows, samples."""
        self.emit("progress", stage=stage, done=done, total=total, unit=unit)


class Stages:
    """Announces the stages of a job, each once and in order, whoever reports them; ``more`` follow the usual ones."""

    def __init__(self, events: EventStream, more: tuple[str, ...] = ()) -> None:
        self._events = events
        self._names = (*STAGES, *more)
        self._reached = 0

    def enter(self, name: str) -> None:
        """Announce ``name`` unless it, or a later stage, was announced before."""
        index = self._names.index(name) + 1
        if index > self._reached:
            self._reached = index
            self._events.emit("stage", name=name, index=index, total=len(self._names))
