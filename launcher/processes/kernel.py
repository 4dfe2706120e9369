"""What the kernel tells of processes that it killed."""

from __future__ import annotations

import contextlib
import signal

SIGKILLED = 128 + signal.SIGKILL
"""Exit status of what was killed: by the kernel for lack of memory, or by anybody else."""


def oom_kills() -> int:
    """How many processes this machine's kernel has killed for lack of memory; 0 where it does not say."""
    with contextlib.suppress(OSError), open("/proc/vmstat", "rb") as file:
        for line in file:
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    return 0
