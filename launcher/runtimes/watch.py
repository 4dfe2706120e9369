"""Watches a running job: that it gets on, and that neither its output nor its log fills the disk.

A runtime passes each line of the job through a Watch, and calls ``check`` some times a second. What
it allows by default, no honest job meets.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.errors import DeadlineError, OutputRefusedError, QuantizationFailedError
from launch_quantization.job.job import Job
from launch_quantization.stream.events import Event, parse
from launch_quantization.stream.lines import LineSink

OUTPUT_BYTES = 512 << 20
"""What a job may write beside the INT8 graph: reports, statistics, and whatever a --callback leaves."""
LOG_BYTES = 1 << 30
"""What a job may print."""
FILES = 20_000
"""Files and folders that a job may make."""

_GRAPHS = 4
"""The INT8 graph is smaller than the FP32 graph, and is written under another name first."""
_GRAPHS_OF_STAGES = 40
_MEASURE_SECONDS = 1.0
_BLOCK = 512
_PROGRESS = ("start", "stage", "progress", "log", "result")


@dataclass(frozen=True)
class Room:
    """A folder, and how much a job may write into it.

    Attributes:
        folders: which; counted together.
        limit: bytes.
        what: what the folder is, for the message.
        remedy: how to get more.
    """

    folders: tuple[Path, ...]
    limit: int
    what: str
    remedy: str


def output_room(job: Job, folder: Path) -> Room:
    """The room of a job's output."""
    return Room(
        (folder,), output_limit(job), "the output", "allow more with --output_limit, or see what its --callback writes"
    )


def output_limit(job: Job) -> int:
    """Bytes that a job may write into its output."""
    if job.output_limit is not None:
        return job.output_limit
    graph = 0 if job.in_graph is None else _measure_size(job.in_graph)
    return OUTPUT_BYTES + graph * (_GRAPHS_OF_STAGES if job.intermediate else _GRAPHS)


def _measure_size(path: Path) -> int:
    """Of a file, or of all files in a folder; what has just gone is told by whoever needs it."""
    files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names] or [path]
    total = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


class Watch:
    """A LineSink in front of another.

    Args:
        on_line: takes the lines.
        job: whose patience counts.
        rooms: what it may fill.
    """

    def __init__(self, on_line: LineSink, job: Job, rooms: Sequence[Room]) -> None:
        self._on_line = on_line
        self._patience = job.stall_timeout
        self._rooms = rooms
        self._moved = self._measured = time.monotonic()
        self._last: Event | None = None
        self._printed = 0

    def __call__(self, line: bytes, stream: str) -> None:
        """Pass a line on.

        Raises:
            QuantizationFailedError: the job printed too much.
        """
        self._printed += len(line) + 1
        if self._printed > LOG_BYTES:
            raise QuantizationFailedError(
                f"the job printed more than {LOG_BYTES >> 20} MiB", "see with --verbose what it prints"
            )
        event = parse(line) if stream == "stdout" else None
        if event is not None and event.name in _PROGRESS and not self._is_same(event):
            self._last, self._moved = event, time.monotonic()
        self._on_line(line, stream)

    def _is_same(self, event: Event) -> bool:
        """Whether it only says again what the last one said."""
        return self._last is not None and (event.name, event.data) == (self._last.name, self._last.data)

    def check(self) -> None:
        """Look at the time, and now and then at the disk.

        Raises:
            DeadlineError: there was no progress for too long.
            OutputRefusedError: the job has written too much.
        """
        now = time.monotonic()
        if self._patience and now - self._moved > self._patience:
            raise DeadlineError(
                f"the job made no progress for {_tell_minutes(self._patience)}, {self._tell_where()}",
                "see with --verbose what it does; if it only takes its time, allow more with --stall_timeout",
            )
        if now - self._measured >= _MEASURE_SECONDS:
            for room in self._rooms:
                _measure(room)
            self._measured = time.monotonic()

    def _tell_where(self) -> str:
        event = self._last
        if event is None or event.name == "start":
            return "at its start"
        data = event.data
        if event.name == "stage":
            return f"in stage {data['index']}/{data['total']}, {data['name']}"
        if event.name == "progress":
            total = f"/{data['total']}" if data["total"] else ""
            return f"after {data['stage']} {data['done']}{total} {data['unit']}"
        return f"after it said: {data['message'][:200]}" if event.name == "log" else "after its result"


def _tell_minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _measure(room: Room) -> None:
    """Refuse what is over the limit. Sparse files count by what they take."""
    taken = found = 0
    left = [os.fspath(folder) for folder in room.folders]
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    found += 1
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    taken += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if taken > room.limit or found > FILES:
                        raise _refuse_room(room, found)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it has just gone
        except PermissionError as error:
            raise OutputRefusedError(
                f"the job made a folder in {room.what} that nobody can look into",
                "nothing was changed; do not trust this graph or its --callback",
            ) from error


def _refuse_room(room: Room, found: int) -> OutputRefusedError:
    what = f"{FILES} files" if found > FILES else f"{room.limit >> 20} MiB"
    return OutputRefusedError(f"the job wrote more than {what} into {room.what}; it was ended", room.remedy)
