"""The hostile corpus against every wall: what each stopped, into build/hostile.md.

``python -m tests.faults.hostile [-i IMAGE]``

The attempts are those of hostile_inside.py, in a shell that has the very walls of a job. Where the host can show
whether one was done (bait.py), that decides, and not what the process inside says of itself. Without a wall the same
attempts succeed, or they prove nothing.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launch_quantization.runtimes.local.wall import PROGRAM_VARIABLE
from tests.e2e.support import COMMAND, PATIENCE
from tests.faults.bait import Bait

WALLS: dict[str, tuple[str, Mapping[str, str]]] = {
    "docker": ("docker", {}),
    "bwrap": ("bwrap", {}),
    "none": ("local", {PROGRAM_VARIABLE: "none"}),
}
"""What the table calls it -> ``--runtime``, and variables."""

DONE = "done"
_TARGET = Path("build/hostile.md")
_INSIDE = Path(__file__).with_name("hostile_inside.py")
_DAEMON_SECONDS = 3
"""What a daemon would need to write its file."""


def tried(wall: str, options: Sequence[str] = ()) -> dict[str, str]:
    """Attempt -> what came of it; ``done`` where nothing stopped it.

    Args:
        wall: one of WALLS.
        options: further ones of the launcher.

    Raises:
        RuntimeError: not all was tried.
    """
    runtime, variables = WALLS[wall]
    with Bait() as bait:
        command = [*COMMAND, "--runtime", runtime, *options, "--debug"]
        command += ["-d", str(bait.folder / "data"), "-o", str(bait.folder / "out" / "x.pb")]
        done = subprocess.run(
            command,
            input=f"exec python3 - {shlex.quote(bait.argument())} <<'END'\n{_INSIDE.read_text()}\nEND\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, **variables},
            start_new_session=True,
            preexec_fn=bait.take_terminal,
            check=False,
        )
        said = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
        time.sleep(_DAEMON_SECONDS)
        shown = bait.taken()
    if not set(shown) <= set(said):
        raise RuntimeError(f"{wall}: {done.stdout[-300:]} {done.stderr[-500:]}")
    return {attempt: outcome(what, shown.get(attempt)) for attempt, what in said.items()}


def outcome(said: str, shown: bool | None) -> str:
    """What came of an attempt.

    Args:
        said: what it says of itself.
        shown: whether the host shows it; None: the host would show nothing.
    """
    if shown:
        return DONE
    if shown is False and said == DONE:
        return "stopped: it reached something else than the host's"
    return said


def main() -> int:
    """Write the table; returns 1 where a wall let something through."""
    columns = {wall: tried(wall, sys.argv[1:] if wall == "docker" else ()) for wall in WALLS}
    lines = [f"| attempt | {' | '.join(columns)} |", "| --- " * (len(columns) + 1) + "|"]
    for attempt in columns["none"]:
        cells = [column[attempt].replace("|", "\\|") for column in columns.values()]
        lines.append(f"| {attempt.replace('_', ' ')} | {' | '.join(cells)} |")
    _TARGET.parent.mkdir(exist_ok=True)
    _TARGET.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return int(any(what == DONE for wall in columns if wall != "none" for what in columns[wall].values()))


if __name__ == "__main__":
    sys.exit(main())
