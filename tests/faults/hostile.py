"""The hostile corpus against every wall: what each stopped, into build/hostile.md.

``python -m tests.faults.hostile [-i IMAGE]``

The attempts are those of hostile_inside.py, in a shell that has the very walls of a job. What is to have been written
is looked for on the host. Without a wall the same attempts succeed, or they prove nothing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launch_quantization.runtimes.local.wall import PROGRAM_VARIABLE
from tests.e2e.support import COMMAND, PATIENCE

WALLS: dict[str, tuple[str, Mapping[str, str]]] = {
    "docker": ("docker", {}),
    "bwrap": ("bwrap", {}),
    "none": ("local", {PROGRAM_VARIABLE: "none"}),
}
"""What the table calls it -> ``--runtime``, and variables."""

DONE = "done"
_TARGET = Path("build/hostile.md")
_INSIDE = Path(__file__).with_name("hostile_inside.py")
_WRITTEN = {
    "writes_a_file": "written",
    "saves_a_checkpoint": "saved.index",
    "prints_to_a_file": "printed",
    "leaves_a_daemon": "daemon",
}
"""Attempt -> the file of the host that shows it."""


def tried(wall: str, options: Sequence[str] = ()) -> dict[str, str]:
    """Attempt -> what came of it; ``done`` where nothing stopped it.

    Args:
        wall: one of WALLS.
        options: further ones of the launcher.

    Raises:
        RuntimeError: the shell did not run.
    """
    runtime, variables = WALLS[wall]
    with tempfile.TemporaryDirectory(prefix="hostile-") as name, socket.create_server(("127.0.0.1", 0)) as home:
        folder = Path(name)
        (folder / "secret").write_text("secret\n")
        (folder / "data").mkdir()
        (folder / "data" / "input").write_text("old")
        (folder / "out").mkdir()
        script = (
            f"exec python3 - \"{folder}\" {os.getpid()} {home.getsockname()[1]} <<'END'\n{_INSIDE.read_text()}\nEND\n"
        )
        command = [
            *COMMAND,
            "--runtime",
            runtime,
            *options,
            "--debug",
            "-d",
            folder / "data",
            "-o",
            folder / "out" / "x.pb",
        ]
        done = subprocess.run(
            command,
            input=script,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, **variables},
            check=False,
        )
        found = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
        if "leaves_a_daemon" not in found:
            raise RuntimeError(f"{wall}: {done.stdout[-300:]} {done.stderr[-500:]}")
        time.sleep(3)  # what a daemon would need
        for attempt, file in _WRITTEN.items():
            if (folder / file).exists() or (folder / "out" / file).exists():
                found[attempt] = DONE
            elif found[attempt] == DONE:
                found[attempt] = "stopped: it went to a private place"
        if (folder / "data" / "input").read_text() != "old":
            found["overwrites_an_input"] = DONE
    return found


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
