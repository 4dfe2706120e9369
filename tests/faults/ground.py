"""Ground for many runs: a cache and a temporary folder of their own, and a look at all that may be left there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from launch_quantization.output import graph_message
from launch_quantization.output.runs import cache_root
from tests.e2e.support import COMMAND, PATIENCE, leftovers
from tests.faults.place import OLD

_ENDS_WITHIN = 15
"""Seconds that processes and containers may take to go."""
_YOUNG = 60
"""Seconds; a record younger than this may still be written, so ``clean`` leaves it."""


@dataclass
class Ground:
    """Where runs are made.

    Attributes:
        folder: empty at first.
        environment: variables of the launchers.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the cache, which shares the environments, as they are expensive, and the temporary folder."""
        ours = self.folder / "cache" / "launch_quantization"
        ours.mkdir(parents=True)
        (ours / "environments").symlink_to(cache_root() / "environments")
        (self.folder / "tmp").mkdir()
        self.environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TMPDIR": str(self.folder / "tmp"),
        }

    @property
    def engine(self) -> bool:
        """Whether a Docker engine answers."""
        return engine_answers()

    def clean(self) -> str:
        """Run ``launch_quantization clean``, as after a launcher that was killed; what it complains of."""
        command = [*COMMAND, "clean"]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        return "" if done.returncode == 0 else f"clean ended with {done.returncode}: {done.stderr.strip()}"

    def left(self, *places: Path) -> list[str]:
        """Everything that should not be there any more, once it had time to go."""
        end = time.monotonic() + _ENDS_WITHIN
        while found := self._left(places):
            if time.monotonic() > end:
                break
            time.sleep(0.3)
        return found

    def _left(self, places: tuple[Path, ...]) -> list[str]:
        found = [one for place in places for one in leftovers(place)]
        found += [str(path) for path in (self.folder / "tmp").iterdir()]
        for path in (self.folder / "cache" / "launch_quantization").rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                young = path.suffix == ".new" and time.time() - path.stat().st_mtime < _YOUNG
                if path.is_file() and not path.name.endswith(".lock") and not young:
                    found.append(str(path))
        return found


def engine_answers() -> bool:
    """Whether there is a Docker engine."""
    import docker

    try:
        return bool(docker.APIClient().ping())
    except (docker.errors.DockerException, OSError):
        return False


def output_complaint(output: Path) -> str:
    """Why an INT8 graph is neither that of an earlier run nor whole; empty where it is one of them."""
    if not output.exists():
        return "the old output is gone"
    content = output.read_bytes()
    if content == OLD:
        return ""
    with output.open("rb") as stream:
        if wrong := graph_message.complaint(stream.fileno()):
            return f"the output is no graph: {wrong}"
    report = output.with_name(f"{output.stem}.report.json")
    told = json.loads(report.read_text())["provenance"]["sha256"]["int8"]
    return "" if told == hashlib.sha256(content).hexdigest() else "the report is about another graph"
