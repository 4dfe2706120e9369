"""``make test-faults``: the tables of faults, into build/faults.md; ends with 1 when a row is not honest.

python -m tests.faults [engine] [docker] [local] [inputs-docker] [inputs-local] [--resume] [--only PATTERN]
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.faults import engine_faults, inputs, job_faults
from tests.faults.kept import Kept
from tests.faults.table import Row, write

TARGET = Path("build/faults.md")
PARTS: dict[str, Callable[[Callable[[str], bool]], Iterator[Row]]] = {
    "engine": engine_faults.rows,
    "docker": lambda skip: job_faults.rows("docker", skip),
    "local": lambda skip: job_faults.rows("local", skip),
    "inputs-docker": lambda skip: inputs.rows("docker", skip),
    "inputs-local": lambda skip: inputs.rows("local", skip),
}
"""Name -> the rows whose faults are not to be skipped."""


def main() -> int:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="none: all")
    parser.add_argument("--resume", action="store_true", help="leave out what an earlier call found to be honest")
    parser.add_argument("--only", default="", help="faults whose names have this regular expression")
    options = parser.parse_args()
    # What is started in the background, or by nohup, ignores some, and so would the launcher.
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    kept = Kept(TARGET.with_suffix(".jsonl"), options.resume)
    not_run: list[str] = []
    for part, rows in PARTS.items():
        if part not in (options.parts or PARTS):
            not_run.append(f"{part}: not asked for")
            continue
        reason = "" if part == "engine" else job_faults.missing(part.rpartition("-")[2])
        if reason:
            not_run.append(f"{part}: {reason}")
            continue
        for row in rows(_skips(part, options.only, kept)):
            verdict = "ok " if row.honest else "NO "
            print(f"{verdict} {row.runtime:<12} {row.code:>3}  {row.fault}: {row.told[:150]}", flush=True)
            for complaint in row.complaints:
                print(f"    {complaint}", flush=True)
            kept.add(f"{part}: {row.fault}", asdict(row))
            write(TARGET, _tables(kept), not_run)
    tables = _tables(kept)
    write(TARGET, tables, not_run)
    found = [row for rows_ in tables.values() for row in rows_]
    bad = sum(not row.honest for row in found)
    print(f"{len(found)} rows, {bad} not honest, in {TARGET}" + "".join(f"\nnot run: {reason}" for reason in not_run))
    return 1 if bad else 0


def _skips(part: str, only: str, kept: Kept) -> Callable[[str], bool]:
    def skip(fault: str) -> bool:
        known = kept.records.get(f"{part}: {fault}")
        return not re.search(only, fault) or (known is not None and not known["complaints"])

    return skip


def _tables(kept: Kept) -> dict[str, list[Row]]:
    """The rows of each part."""
    tables: dict[str, list[Row]] = {part: [] for part in PARTS}
    for key, record in kept.records.items():
        tables[key.partition(": ")[0]].append(
            Row(**{**record, **{name: tuple(record[name]) for name in ("left", "complaints")}})
        )
    return {part: rows for part, rows in tables.items() if rows}


if __name__ == "__main__":
    sys.exit(main())
