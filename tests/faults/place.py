"""A folder with a graph, images and an old output; runs the launcher there and judges what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.support import COMMAND, PATIENCE, leftovers, write_images
from tests.faults.table import Row

OLD = b"the old graph"


@dataclass
class Place:
    """Where one row is made.

    Attributes:
        folder: empty but for what is made here.
        runtime: what the row says of where it ran.
        environment: variables of the launcher.
    """

    folder: Path
    runtime: str
    environment: dict[str, str]

    @property
    def output(self) -> Path:
        """The INT8 graph, in a folder of its own."""
        return self.folder / "results" / "out.pb"

    def fill(self, graph: bytes | Path, images: int = 6) -> Place:
        """Make the inputs and the output of an earlier run."""
        target = self.folder / "net.pb"
        if isinstance(graph, bytes):
            target.write_bytes(graph)
        else:
            shutil.copyfile(graph, target)
        write_images(self.folder / "images", images)
        self.output.parent.mkdir()
        self.output.write_bytes(OLD)
        return self

    def argv(self, *more: object) -> list[str]:
        """The command line; further options win over these."""
        where = "docker" if self.runtime == "fake engine" else self.runtime
        given = {"--runtime": where, "-g": self.folder / "net.pb", "-d": self.folder / "images", "-o": self.output}
        kept = [str(word) for option, value in given.items() if option not in more for word in (option, value)]
        return [*COMMAND, *kept, *(str(word) for word in more)]

    def start(self, *more: object) -> subprocess.Popen[str]:
        """The launcher as a process."""
        return subprocess.Popen(
            self.argv(*more),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def run(self, fault: str, expected: int, *more: object, output: Path | None = None) -> Row:
        """One run to its end, as a row."""
        process = self.start(*more)
        _, told = process.communicate(timeout=PATIENCE)
        return self.judged(fault, expected, process.returncode, told, output)

    def judged(self, fault: str, expected: int, code: int, told: str, output: Path | None = None) -> Row:
        """The row of a run that has ended.

        Args:
            fault: what was done.
            expected: the exit code that is promised.
            code: that of the launcher.
            told: what it said on stderr.
            output: the file that must be as it was unless the code is 0; None: the usual one.
        """
        errors = [line for line in told.splitlines() if line.startswith("error: ")]
        warnings = [line.strip() for line in told.splitlines() if "warning: " in line]
        left = tuple(one.replace(os.fspath(self.folder), "…") for one in leftovers(self.folder))
        first = next(iter([*errors, *(warnings if not code else [])]), "").replace(os.fspath(self.folder), "…")
        row = Row(fault, self.runtime, expected, code, first, left)
        return replace(row, complaints=tuple(self._complaints(row, told, errors, output)))

    def _complaints(self, row: Row, told: str, errors: Sequence[str], output: Path | None) -> list[str]:
        found = []
        if row.code != row.expected:
            found.append(f"exit code {row.code}")
        if "Traceback (most recent call last)" in told:
            found.append("a traceback")
        # Who closed the other end of our output cannot be told anything.
        wanted = 0 if row.code in (0, 141) else 1
        if len(errors) != wanted:
            found.append(f"{len(errors)} errors told")
        if row.left:
            found.append("something is left")
        if output is None:
            content = self.output.read_bytes() if self.output.is_file() else None
            if (content == OLD) == (row.code == 0):
                found.append("the old output is " + ("still there" if row.code == 0 else "gone"))
        return found
