"""Stands between the launcher and a local job, so that nothing of the job outlives either.

Run as a program: ``python -I supervisor.py LAUNCHER_PID CPUS FILE_SIZE COMMAND...``; CPUS is a comma
list, FILE_SIZE the most bytes that a file may have, and each may be ``-``. It is a subreaper: what the
job forks and abandons becomes its child, and is killed at the end.
When the launcher dies, however it dies, the kernel sends this process SIGTERM; when this process
dies, the kernel kills the job.

SIGTERM asks the job to end and kills it after a grace; SIGUSR1 kills it at once. Standard library
only, and nothing of the launcher: -I hides the package.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from types import FrameType

GRACE_SECONDS = 5

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HANDLED = (signal.SIGTERM, signal.SIGUSR1)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status, 128 + number where a signal ended it."""
    launcher, cpus, file_size, command = int(argv[1]), argv[2], argv[3], argv[4:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != launcher:  # it died before the first prctl
        return 128 + signal.SIGTERM
    if cpus != "-":
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    supervisor = os.getpid()
    job = os.fork()
    if job == 0:
        _become(command, supervisor, file_size)
    _pass_signals_on(job)
    status = _wait_for(job)
    _kill_the_rest()
    return status


def _pass_signals_on(job: int) -> None:
    def send(signum: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(job, signum)

    def end(_signum: int, _frame: FrameType | None) -> None:
        send(signal.SIGTERM)
        signal.alarm(GRACE_SECONDS)

    def kill(_signum: int, _frame: FrameType | None) -> None:
        send(signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, kill)
    signal.signal(signal.SIGALRM, kill)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)


def _become(command: list[str], supervisor: int, file_size: str) -> None:
    """In the child: die with the supervisor, then be the job."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(128 + signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    if file_size != "-":
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = int(file_size) if hard == resource.RLIM_INFINITY else min(int(file_size), hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for signum in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signum, signal.SIG_DFL)  # Python ignores them, and the job would inherit that
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _wait_for(job: int) -> int:
    """Reap children until the job is among them."""
    while True:
        pid, status = os.wait()
        if pid == job:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _kill_the_rest() -> None:
    """Kill what the job left until nothing is a child of ours any more.

    The children of a killed child become ours and are met the next time round.
    """
    while True:
        for child in children(process_table()).get(os.getpid(), ()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def process_table() -> dict[int, int]:
    """The parent of every process that can be seen: pid -> parent's pid."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{name}/stat", "rb") as file:
                # The second field, the name in parentheses, may itself hold parentheses and spaces.
                table[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    return table


def children(table: dict[int, int]) -> dict[int, list[int]]:
    """The same the other way round: pid -> pids of its children."""
    found: dict[int, list[int]] = {}
    for pid, parent in table.items():
        found.setdefault(parent, []).append(pid)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv))
