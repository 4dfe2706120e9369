"""The rows of the table of faults: what was done, what came of it, and whether that was honest."""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    fault: str
    runtime: str
    expected: int
    code: int
    told: str
    left: tuple[str, ...] = ()
    complaints: tuple[str, ...] = field(default=())

    @property
    def honest(self) -> bool:
        """Whether nothing is to be complained of."""
        return not self.complaints


def markdown(rows: Sequence[Row], not_run: Sequence[str]) -> str:
    """The table as text."""
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
        "" if not_run else "Nothing was left out.",
        "",
        "| fault | runtime | exit code | told | left | honest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        code = str(row.code) if row.code == row.expected else f"{row.code} instead of {row.expected}"
        verdict = "yes" if row.honest else "NO: " + "; ".join(row.complaints)
        cells = (row.fault, row.runtime, code, row.told, ", ".join(row.left) or "nothing", verdict)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def write(path: Path, rows: Sequence[Row], not_run: Sequence[str]) -> None:
    """Write the table to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(rows, not_run), "utf-8")
