"""Cuts a stream of bytes into lines, with a bound on what is kept of an endless one."""

from __future__ import annotations

import re
from collections.abc import Callable

LineSink = Callable[[bytes, str], None]
"""Takes one line of output (no newline) and its stream: "stdout" (events) or "stderr" (logs)."""

BuildLog = Callable[[str], None]
"""Takes one line of build output, foreign text that the caller must treat as such."""

_ENDS = re.compile(rb"[\r\n]+")


class LineSplitter:
    r"""Collects chunks and gives back whole lines.

    Lines end at ``\n`` and at ``\r``, with which progress bars overwrite themselves; empty lines are
    dropped.

    Args:
        limit: bytes kept of a line; the rest of a longer one is dropped.
    """

    def __init__(self, limit: int = 65536) -> None:
        self._limit = limit
        self._kept = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their ends."""
        first, *rest = _ENDS.split(chunk)
        self._keep(first)
        lines = []
        for part in rest:
            lines.append(self._kept)
            self._kept = b""
            self._keep(part)
        return [line for line in lines if line]

    def flush(self) -> list[bytes]:
        """The last line, where the stream ended without an end of line."""
        line, self._kept = self._kept, b""
        return [line] if line else []

    def _keep(self, part: bytes) -> None:
        room = self._limit - len(self._kept)
        if room > 0:
            self._kept += part[:room]
