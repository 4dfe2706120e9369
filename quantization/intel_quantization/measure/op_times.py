"""Time by type of op in both graphs, and how fast the graph could get at best."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple

CONVERSION = "INT8 <-> FP32"
_KERNEL = re.compile(r"^_?(?:Mkl)?(?:Native)?(?:Fused)?")
_FAMILIES = (
    ("Depthwise", "DepthwiseConv2dNative"),
    ("Conv2D", "Conv2D"),
    ("MatMul", "MatMul"),
    ("MaxPool", "MaxPool"),
    ("AvgPool", "AvgPool"),
    ("Concat", "ConcatV2"),
)
_CONVERSIONS = ("QuantizeV2", "Dequantize", "Requantize", "RequantizePerChannel", "Quantize")
_IDLE = ("NoOp", "_SOURCE", "_SINK", "Const", "_Arg", "_Retval", "Placeholder")


class NodeTime(NamedTuple):
    """Milliseconds of a node in one run, and the op that ran: of fused ones, the kernel's own name."""

    ms: float
    op: str


def time_by_op(fp32: Mapping[str, NodeTime], int8: Mapping[str, NodeTime]) -> Dict[str, Any]:
    """Where the time goes.

    Args:
        fp32, int8: of the nodes of both graphs, by name.

    Returns:
        ``ops``: op, fp32_ms, and of the INT8 graph int8_ms in INT8 and left_ms in FP32, the longest in the FP32 graph
        first; ``fp32_ms`` and ``int8_ms`` of all; ``left_ms``, what the INT8 graph does in FP32, conversions not
        counted; and ``limit``: how many times as fast as FP32 it would be if INT8 took no time.
    """
    rows: Dict[str, Dict[str, float]] = {}
    for which, nodes in (("fp32", fp32), ("int8", int8)):
        for node in nodes.values():
            if node.op in _IDLE:
                continue
            row = rows.setdefault(family(node.op), {"fp32_ms": 0.0, "int8_ms": 0.0, "left_ms": 0.0})
            is_left = which == "int8" and not is_int8(node.op)
            row["left_ms" if is_left else f"{which}_ms"] += node.ms
    ops: List[Dict[str, Any]] = [
        {"op": op, **{key: round(ms, 5) for key, ms in row.items()}} for op, row in rows.items()
    ]
    ops.sort(key=lambda row: (-max(row["fp32_ms"], row["int8_ms"] + row["left_ms"]), row["op"]))
    before = sum(row["fp32_ms"] for row in ops)
    left = sum(row["left_ms"] for row in ops)
    return {
        "ops": ops,
        "fp32_ms": before,
        "int8_ms": sum(row["int8_ms"] for row in ops) + left,
        "left_ms": left,
        "limit": before / left if left else None,
    }


def is_int8(op: str) -> bool:
    """Whether a kernel computes in INT8, or turns values into it or out of it."""
    plain = _KERNEL.sub("", op)
    return plain.startswith("Quantize") or plain in _CONVERSIONS


def family(op: str) -> str:
    """The op of the FP32 graph that a kernel does the work of."""
    plain = _KERNEL.sub("", op)
    if plain in _CONVERSIONS:
        return CONVERSION
    for part, name in _FAMILIES:
        if part in plain:
            return name
    return plain or op
