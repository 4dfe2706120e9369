"""``make test-faults``: the table of faults, into build/faults.md; ends with 1 when a row is not honest.

python -m tests.faults [engine] [docker] [local]
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.faults import engine_faults, job_faults
from tests.faults.table import Row, write

TARGET = Path("build/faults.md")
PARTS = ("engine", "docker", "local")


def main() -> int:
    """Run the parts that were named, or all."""
    wanted = sys.argv[1:] or list(PARTS)
    # What is started in the background, or by nohup, ignores some, and so would the launcher.
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    found: list[Row] = []
    not_run: list[str] = []
    for part in PARTS:
        if part not in wanted:
            not_run.append(f"{part}: not asked for")
            continue
        reason = "" if part == "engine" else job_faults.missing(part)
        if reason:
            not_run.append(f"{part}: {reason}")
            continue
        for row in engine_faults.rows() if part == "engine" else job_faults.rows(part):
            verdict = "ok " if row.honest else "NO "
            print(f"{verdict} {row.runtime:<12} {row.code:>3}  {row.fault}: {row.told[:150]}", flush=True)
            for complaint in row.complaints:
                print(f"    {complaint}", flush=True)
            found.append(row)
        write(TARGET, found, not_run)
    bad = sum(not row.honest for row in found)
    print(f"{len(found)} rows, {bad} not honest, in {TARGET}" + "".join(f"\nnot run: {reason}" for reason in not_run))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
