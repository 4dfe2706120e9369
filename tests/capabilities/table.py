"""Writes the table of what becomes INT8 in which TensorFlow, in docs/reference/int8.md, from the file of snapshots.

PYTHON tests/capabilities/table.py          PYTHON: one with TensorFlow
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Dict, List, Sequence, Tuple

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "quantization"))

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8
from intel_quantization.graph.snapshots import Snapshot, snapshots

BEGIN, END = "<!-- capabilities, by tests/capabilities/table.py -->\n", "<!-- end of capabilities -->\n"


@dataclass(frozen=True)
class Row:
    """What becomes INT8, by which op, and what a TensorFlow must have for it."""

    what: str
    op: str
    types: Dict[str, int] = field(default_factory=dict)
    attr: str = ""


def _conv(source: int, result: int = DT_QUINT8, **more: int) -> Dict[str, int]:
    return dict(more, Tinput=source, Tfilter=DT_QINT8, Tbias=DT_FLOAT, out_type=result)


def _product(source: int, result: int) -> Dict[str, int]:
    return {"T1": source, "T2": DT_QINT8, "Tbias": DT_FLOAT, "Toutput": result}


_CONV = "QuantizedConv2DWithBias%sRequantize"
_FUSED = "_FusedQuantizedDepthwiseConv2D"
_DEPTHWISE = "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
ROWS = (
    Row("Conv2D", _CONV % "And", _conv(DT_QUINT8, DT_QINT8)),
    Row("Conv2D and ReLU", _CONV % "AndReluAnd", _conv(DT_QUINT8)),
    Row("… on signed input", _CONV % "AndReluAnd", _conv(DT_QINT8)),
    Row("… with a Pad in it", _CONV % "AndReluAnd", attr="padding_list"),
    Row("Conv2D, addition and ReLU", _CONV % "SumAndReluAnd", _conv(DT_QUINT8, Tsummand=DT_QUINT8)),
    Row("… of a signed tensor", _CONV % "SignedSumAndReluAnd", _conv(DT_QUINT8, Tsummand=DT_QINT8)),
    Row("DepthwiseConv2dNative and ReLU", _DEPTHWISE, _conv(DT_QUINT8)),
    Row("… with a Pad in it", _FUSED, attr="explicit_paddings"),
    Row("… without a ReLU, or on signed input", _FUSED, _conv(DT_QINT8, DT_QINT8, Tsummand=DT_QINT8)),
    Row("MatMul and ReLU", "QuantizedMatMulWithBiasAndReluAndRequantize", _product(DT_QUINT8, DT_QUINT8)),
    Row("MatMul with a float32 result", "QuantizedMatMulWithBiasAndDequantize", _product(DT_QUINT8, DT_FLOAT)),
    Row("MaxPool", "QuantizedMaxPool", {"T": DT_QUINT8}),
    Row("… of a signed tensor", "QuantizedMaxPool", {"T": DT_QINT8}),
    Row("AvgPool", "QuantizedAvgPool", {"T": DT_QUINT8}),
    Row("… of a signed tensor", "QuantizedAvgPool", {"T": DT_QINT8}),
    Row("ConcatV2", "QuantizedConcatV2", {"T": DT_QUINT8}),
    Row("… of signed tensors", "QuantizedConcatV2", {"T": DT_QINT8}),
    Row("Reshape, Squeeze, ExpandDims", "Reshape", {"T": DT_QINT8}),
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
        op = "" if row.op == before else "`%s`" % row.op
        before = row.op
        lines.append([row.what, op, *("yes" if answers[number] else "–" for _, answers in columns)])
    return "".join("| %s |\n" % " | ".join(line) for line in lines)


def replaced(text: str, new: str) -> str:
    """The page's text with a new table."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + new + END + rest.partition(END)[2]


def _has(snapshot: Snapshot, row: Row) -> bool:
    return snapshot.has_attr(row.op, row.attr) if row.attr else snapshot.has_kernel(row.op, **row.types)


def main() -> None:
    """Write the page's table anew."""
    path = os.path.join(ROOT, "docs", "reference", "int8.md")
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(replaced(text, table(snapshots())))


if __name__ == "__main__":
    main()
