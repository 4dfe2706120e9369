"""What the kernel tells of processes that it killed."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

SIGKILLED = 128 + signal.SIGKILL
"""Exit status of what was killed: by the kernel for lack of memory, or by anybody else."""


_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def oom_kills() -> int:
    """How many processes this machine's kernel has killed for lack of memory; 0 where it does not say."""
    return _count(Path("/proc/vmstat")) or 0


def own_oom_kills(cgroup: Path = _CGROUP, cgroups: Path = _CGROUPS) -> int:
    """How many of them were in the control group of this process, and so of its children.

    A container next door that has met its limit is none of theirs. Where the kernel does not say: of the machine.
    """
    with contextlib.suppress(OSError):
        for line in cgroup.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            below = path.lstrip("/")
            if "memory" in controllers.split(","):
                found = _count(cgroups / "memory" / below / "memory.oom_control")
            else:
                found = None if controllers else _count(cgroups / below / "memory.events")
            if found is not None:
                return found
    return oom_kills()


def _count(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return None
