"""A local job as processes: start it under the supervisor, read it, watch it, end it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.errors import DeadlineError, Interrupted, OutOfMemoryError, QuantizationFailedError
from launch_quantization.processes import supervisor
from launch_quantization.processes.kernel import SIGKILLED, own_oom_kills
from launch_quantization.processes.supervisor import children, process_table
from launch_quantization.signals import patience, shield
from launch_quantization.stream.lines import LineSink, LineSplitter

_TICK_SECONDS = 0.2
_WATCH_SECONDS = 0.4
_LAST_RESORT_SECONDS = 5.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


_MEMORY_REMEDY = "lower --batch_size or --samples, or give it more with --memory"


@dataclass(frozen=True)
class Limits:
    """What a command may take; None: as much as it likes.

    Attributes:
        cpus: how many CPUs, rounded up to whole ones.
        memory: bytes that all its processes together may hold resident.
        timeout: seconds.
        file_size: bytes that a file of it may have.
        processes: how many it may be at once.
    """

    cpus: float | None = None
    memory: int | None = None
    timeout: float | None = None
    file_size: int | None = None
    processes: int | None = None

    def check(self, root: int) -> None:
        """Look at all descendants of a process.

        Raises:
            OutOfMemoryError: they hold too much.
            QuantizationFailedError: they are too many.
        """
        if self.memory is None and self.processes is None:
            return
        pids = _list_descendants(root)
        if self.processes is not None and len(pids) > self.processes:
            raise QuantizationFailedError(
                f"the job started more than {self.processes} processes; it was ended",
                "do not trust this graph or its --callback",
            )
        if self.memory is not None and (held := _count_resident(pids)) > self.memory:
            raise OutOfMemoryError(
                f"the job held {held >> 20} MiB, more than its limit of {self.memory >> 20} MiB", _MEMORY_REMEDY
            )


UNLIMITED = Limits()


def run_supervised(
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    directory: Path,
    on_line: LineSink,
    limits: Limits = UNLIMITED,
    descriptors: Sequence[int] = (),
    check: Callable[[], None] = lambda: None,
) -> int:
    """Run a command to its end; when this returns or raises, none of its processes is left.

    Args:
        command: argv.
        variables: its whole environment.
        directory: where it starts.
        on_line: takes its output.
        limits: what it may take.
        descriptors: open ones of ours that it inherits.
        check: called some times a second; what it raises ends the command.

    Returns:
        Its exit status; 128 + number where a signal ended it.

    Raises:
        OutOfMemoryError: it held more than its limit, or the kernel ran out and killed it.
        QuantizationFailedError: it was more processes than its limit.
        DeadlineError: it took longer than its limit.
        Interrupted: a signal came; the job was asked to end, and killed on a second signal.
    """
    killed_before = own_oom_kills()
    process: subprocess.Popen[bytes] | None = None
    pump: _Pump | None = None
    try:
        with shield():  # a signal during the start is raised when we know what to end
            process = _start(command, variables, directory, limits, descriptors)
            pump = _Pump(process)
        pump.run(on_line, limits, check)
        status = process.wait()
    except Interrupted:
        if process is not None and pump is not None:
            _end_gracefully(process, pump)
        raise
    finally:
        with shield():
            if process is not None:
                end(process)
            if pump is not None:
                pump.close()
    if status == SIGKILLED and own_oom_kills() > killed_before:
        raise OutOfMemoryError("the kernel ran out of memory and killed the job", _MEMORY_REMEDY)
    return status


def _start(
    command: Sequence[str], variables: Mapping[str, str], directory: Path, limits: Limits, descriptors: Sequence[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        supervised(command, limits.cpus, limits.file_size),
        env=dict(variables),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=descriptors,
    )


class _Pump:
    """Carries both output streams, line by line, and looks at the limits in between."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._selector = selectors.DefaultSelector()
        self._splitters = {"stdout": LineSplitter(), "stderr": LineSplitter()}
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            if stream is not None:
                self._selector.register(stream, selectors.EVENT_READ, name)

    def run(self, on_line: LineSink, limits: Limits, check: Callable[[], None]) -> None:
        """Read until both streams end."""
        began = time.monotonic()
        watched = began
        while self._selector.get_map():
            self._read(on_line, _TICK_SECONDS)
            now = time.monotonic()
            if limits.timeout is not None and now - began > limits.timeout:
                raise DeadlineError(
                    f"the job took longer than --timeout {limits.timeout:g} s", "give it more time, or fewer --samples"
                )
            check()
            if now - watched >= _WATCH_SECONDS:
                watched = now
                limits.check(self._process.pid)

    def drain(self, seconds: float) -> None:
        """Read and forget until both streams end, so that a job that is ending does not block."""
        until = time.monotonic() + seconds
        while self._selector.get_map() and time.monotonic() < until:
            self._read(lambda _line, _stream: None, _TICK_SECONDS)

    def _read(self, on_line: LineSink, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            chunk = os.read(key.fd, 65536)
            splitter = self._splitters[key.data]
            if not chunk:
                self._selector.unregister(key.fileobj)
            for line in splitter.feed(chunk) if chunk else splitter.flush():
                on_line(line, key.data)

    def close(self) -> None:
        """Close both streams."""
        self._selector.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def _end_gracefully(process: subprocess.Popen[bytes], pump: _Pump) -> None:
    """Ask the job to end and wait; a second signal cuts the wait, and the caller then kills."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with patience():
        pump.drain(supervisor.GRACE_SECONDS)


def supervised(command: Sequence[str], cpus: float | None = None, file_size: int | None = None) -> list[str]:
    """The argv that runs a command under the supervisor, which ends it when this process dies."""
    limits = [_cpu_list(cpus), "-" if file_size is None else str(file_size)]
    return [sys.executable, "-I", "-S", supervisor.__file__, str(os.getpid()), *limits, *command]


def end(process: subprocess.Popen[bytes]) -> None:
    """Make sure a supervisor is gone, and with it every process of its command."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGUSR1)
    try:
        process.wait(_LAST_RESORT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cpu_list(cpus: float | None) -> str:
    """CPUs for the supervisor: the first so many of those this process may use."""
    if cpus is None:
        return "-"
    allowed = sorted(os.sched_getaffinity(0))
    return ",".join(str(cpu) for cpu in allowed[: max(1, -int(-cpus // 1))])


def _list_descendants(root: int) -> list[int]:
    below = children(process_table())
    found: list[int] = []
    waiting = list(below.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(below.get(pid, ()))
    return found


def _count_resident(pids: Sequence[int]) -> int:
    """Resident bytes of processes; pages that they share are counted once each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/statm", "rb") as file:
            total += int(file.read().split()[1]) * _PAGE
    return total
