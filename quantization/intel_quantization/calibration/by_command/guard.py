"""Stands between us and a calibration command, so that nothing of the command outlives us or it.

Run as a program: ``python -I -S guard.py PARENT_PID DIRECTORY COMMAND...``. It is a subreaper: what the command
forks and abandons, also in sessions of their own, becomes its child, and is killed at the end. When the parent
dies, however it dies, the kernel sends this process SIGTERM; then it ends the command and removes the directory.
When this process dies, the kernel kills the command.

To end the command, all its processes are asked to, and killed after a grace. The parent has that done with
STOP, a signal of its own: that SIGTERM came tells that the parent has gone, which its process number does not
while one of its threads is still about to end. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from typing import Any, Dict, List

GRACE_SECONDS = 5
STOP = signal.SIGUSR1
CANNOT_RUN = 127

_ENDING = (signal.SIGTERM, STOP)
_seen: List[int] = []
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(argv: List[str]) -> int:
    """Run the command; returns its exit status, 128 + number where a signal ended it."""
    parent, directory, command = int(argv[1]), argv[2], argv[3:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    status = 128 + signal.SIGTERM
    if os.getppid() == parent:  # it might have died before the first prctl
        status = _run(command)
    if os.getppid() != parent or signal.SIGTERM in (*_seen, *signal.sigpending()):
        shutil.rmtree(directory, ignore_errors=True)
    return status


def _run(command: List[str]) -> int:
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, guard)
    for number in _ENDING:
        signal.signal(number, _ask_to_end)
    signal.signal(signal.SIGALRM, lambda _number, _frame: _send_to_all(signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    while True:
        pid, status = os.wait()
        if pid == child:
            break
    signal.pthread_sigmask(signal.SIG_BLOCK, [*_ENDING, signal.SIGALRM])
    _kill_the_rest()
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _become(command: List[str], guard: int) -> None:
    """In the child: lead a group, die with the guard, be the command."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(128 + signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGHUP):  # Python ignores the first, nohup the last
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, ("cannot run %s: %s\n" % (command[0], error.strerror)).encode())
    os._exit(CANNOT_RUN)


def _ask_to_end(number: int, _frame: Any) -> None:
    _seen.append(number)
    _send_to_all(signal.SIGTERM)
    signal.alarm(GRACE_SECONDS)


def _kill_the_rest() -> None:
    """Kill what is left, until nothing is a child of ours any more; the children of the killed become ours."""
    while True:
        _send_to_all(signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _send_to_all(number: int) -> None:
    """Send a signal to all processes that come from the command."""
    for pid in _list_descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or sudo's
            os.kill(pid, number)


def _list_descendants() -> List[int]:
    below: Dict[int, List[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open("/proc/%s/stat" % name, "rb") as file:
                # the second field, the name in parentheses, may itself hold parentheses and spaces
                below.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found, waiting = [], [os.getpid()]
    while waiting:
        children = below.get(waiting.pop(), [])
        found.extend(children)
        waiting.extend(children)
    return found


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
