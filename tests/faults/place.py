"""A folder with a graph, images and an old output; runs the launcher there and judges what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.support import COMMAND, PATIENCE, leftovers, write_images
from tests.faults.peak import Peak
from tests.faults.table import Row

OLD = b"the old graph"
_MADE = (0,)
"""Exit codes with which there is a new graph."""


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

    def argv(self, *more: object, command: str = "") -> list[str]:
        """The command line; further options win over these. A sub-command has no output."""
        where = "docker" if self.runtime == "fake engine" else self.runtime
        given = {"--runtime": where, "-g": self.folder / "net.pb", "-d": self.folder / "images", "-o": self.output}
        if command:
            del given["-o"]
        kept = [str(word) for option, value in given.items() if option not in more for word in (option, value)]
        return [*COMMAND, *([command] if command else []), *kept, *(str(word) for word in more)]

    def start(self, *more: object, command: str = "") -> subprocess.Popen[str]:
        """The launcher as a process."""
        return subprocess.Popen(
            self.argv(*more, command=command),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def run(
        self, fault: str, expected: int | tuple[int, ...], *more: object, output: Path | None = None, command: str = ""
    ) -> Row:
        """One run to its end, as a row with its time and memory."""
        begun = time.monotonic()
        process = self.start(*more, command=command)
        with Peak(process, self.folder) as peak:
            try:
                said, told = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:  # a row that is not honest, and no end of the table
                process.kill()
                said, told = process.communicate(timeout=PATIENCE)
        row = self.judged(fault, expected, process.returncode, told, output, makes=not command, said=said)
        return replace(row, seconds=time.monotonic() - begun, memory=peak.bytes)

    def judged(
        self,
        fault: str,
        expected: int | tuple[int, ...],
        code: int,
        told: str,
        output: Path | None = None,
        *,
        makes: bool = True,
        said: str = "",
    ) -> Row:
        """The row of a run that has ended.

        Args:
            fault: what was done.
            expected: the exit code that is promised, or those of which each is.
            code: that of the launcher.
            told: what it said on stderr.
            output: the file that was asked for, which is not looked at; None: the usual one, which must be as it was
                unless the code is 0.
            makes: whether there should be a new output where the code is 0.
            said: what it said on stdout.
        """
        errors = [line for line in told.splitlines() if line.startswith("error: ")]
        warnings = [line.strip() for line in told.splitlines() if "warning: " in line]
        left = tuple(one.replace(os.fspath(self.folder), "…") for one in leftovers(self.folder))
        first = next(iter([*errors, *(warnings if not code else [])]), "").replace(os.fspath(self.folder), "…")
        allowed = (expected,) if isinstance(expected, int) else expected
        row = Row(fault, self.runtime, code if code in allowed else allowed[0], code, first, left)
        return replace(row, complaints=tuple(self._complaints(row, said + told, errors, output, makes)))

    def _complaints(self, row: Row, told: str, errors: Sequence[str], output: Path | None, makes: bool) -> list[str]:
        found = []
        if row.code != row.expected:
            found.append(f"exit code {row.code}")
        if "Traceback (most recent call last)" in told:
            found.append("a traceback")
        # Who closed the other end of our output cannot be told anything.
        wanted = 0 if row.code in (*_MADE, 141) else 1
        if len(errors) != wanted:
            found.append(f"{len(errors)} errors told")
        if any(not (sign.isprintable() or sign in "\n\t") for sign in told):
            found.append("what a terminal may obey")
        if row.left:
            found.append("something is left")
        if output is None:
            content = self.output.read_bytes() if self.output.is_file() else None
            if (content == OLD) == (makes and row.code in _MADE):
                found.append("the old output is " + ("gone" if content != OLD else "still there"))
        return found
