"""Writes the table of what becomes INT8 in which TensorFlow, in docs/reference/int8.md, from the file of snapshots.

PYTHON tests/capabilities/table.py          PYTHON: one with TensorFlow
"""

from __future__ import annotations

import os
import sys
from typing import List, Sequence, Tuple

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "quantization"))

from intel_quantization.kinds.linear_kind import Form
from intel_quantization.kinds.registry import LINEAR, PASS_THROUGH
from intel_quantization.ops.snapshots import Snapshot, snapshots

BEGIN, END = "<!-- capabilities, by tests/capabilities/table.py -->\n", "<!-- end of capabilities -->\n"


ROWS: Tuple[Form, ...] = tuple(
    form for kinds in (LINEAR, PASS_THROUGH) for kind in kinds.values() for form in kind.forms()
)


def table(known: Sequence[Snapshot]) -> str:
    """The table in Markdown; versions that have the same are one column."""
    columns: List[Tuple[List[str], Tuple[bool, ...]]] = []
    for snapshot in known:
        answers = tuple(_has(snapshot, row) for row in ROWS)
        if columns and columns[-1][1] == answers:
            columns[-1][0].append(snapshot.version)
        else:
            columns.append(([snapshot.version], answers))
    lines = [["INT8 form of", "op", *(", ".join(versions) for versions, _ in columns)]]
    lines.append(["---"] * len(lines[0]))
    before = ""
    for number, row in enumerate(ROWS):
        op = "" if row.kernel.op == before else "`%s`" % row.kernel.op
        before = row.kernel.op
        lines.append([row.what, op, *("yes" if answers[number] else "–" for _, answers in columns)])
    return "".join("| %s |\n" % " | ".join(line) for line in lines)


def replaced(text: str, new: str) -> str:
    """The page's text with a new table."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + new + END + rest.partition(END)[2]


def _has(snapshot: Snapshot, row: Form) -> bool:
    op, types = row.kernel
    return snapshot.has_attr(op, row.attr) if row.attr else snapshot.has_kernel(op, **types)


def main() -> None:
    """Write the page's table anew."""
    path = os.path.join(ROOT, "docs", "reference", "int8.md")
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(replaced(text, table(snapshots())))


if __name__ == "__main__":
    main()
