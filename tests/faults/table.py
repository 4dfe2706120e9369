"""The rows of the table of faults: what was done, what came of it, and whether that was honest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One fault on one runtime.

    Attributes:
        fault: what was done to it.
        runtime: ``docker``, ``local``, or ``fake engine``.
        expected: the exit code that docs/reference/exit-codes.md promises for it.
        code: the exit code that came.
        told: the first error, or else the first warning.
        left: what was still there afterwards.
        complaints: what was not honest; empty in a good row.
        seconds: that the launcher took; None where that says nothing.
        memory: the most that the job had, in bytes; None where it was not seen.
    """

    fault: str
    runtime: str
    expected: int
    code: int
    told: str
    left: tuple[str, ...] = ()
    complaints: tuple[str, ...] = field(default=())
    seconds: float | None = None
    memory: int | None = None

    @property
    def honest(self) -> bool:
        """Whether nothing is to be complained of."""
        return not self.complaints


TITLES = {
    "engine": "Engines",
    "docker": "Faults of jobs in containers",
    "local": "Faults of jobs in the local environment",
    "inputs-docker": "Hostile inputs in containers",
    "inputs-local": "Hostile inputs in the local environment",
}


def markdown(tables: Mapping[str, Sequence[Row]], not_run: Sequence[str]) -> str:
    """The tables, by the keys of TITLES, as text."""
    rows = [row for each in tables.values() for row in each]
    good = sum(row.honest for row in rows)
    rule = (
        "A row is honest when the exit code is the one that the docs promise, exactly one error says why it is not "
        "0, there is no traceback, the old output is as it was or the new one complete, and nothing of the run is left."
    )
    lines = [
        "# Faults",
        "",
        f"{len(rows)} rows, {good} honest, {len(rows) - good} not. {rule}",
        "",
        *(f"Not run: {reason}." for reason in not_run),
        *([] if not_run else ["Nothing was left out."]),
    ]
    for part, each in tables.items():
        lines += ["", f"## {TITLES[part]}: {len(each)}", ""]
        lines += ["| fault | runtime | exit code | told | s | MB | left | honest |", "| --- " * 8 + "|"]
        lines += map(_line, each)
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    code = str(row.code) if row.code == row.expected else f"{row.code} instead of {row.expected}"
    verdict = "yes" if row.honest else "NO: " + "; ".join(row.complaints)
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    memory = "" if row.memory is None else f"{row.memory / 1e6:.0f}"
    cells = (row.fault, row.runtime, code, row.told, seconds, memory, ", ".join(row.left) or "nothing", verdict)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def write(path: Path, tables: Mapping[str, Sequence[Row]], not_run: Sequence[str]) -> None:
    """Write the tables to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(tables, not_run), "utf-8")
