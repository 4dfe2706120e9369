"""Ops that carry INT8 values through: what they give is made of the very values that they read.

=========  ==================================================================================
MaxPool    QuantizedMaxPool: the largest of the INT8 values, exact.
AvgPool    QuantizedAvgPool: the mean, rounded to an INT8 value.
ConcatV2   QuantizedConcatV2: inputs of one range are copied; others are scaled to the widest.
Reshape,   The op itself; nothing is computed.
Squeeze,
ExpandDims
Pad        The op itself on four channels at a time, seen as one float32: zero is zero in both, and
           the Pad kernel for INT8 types is several times slower than the one for float32.
MOVING     Transpose, Slice, StridedSlice, SpaceToBatchND, BatchToSpaceND, DepthToSpace, SpaceToDepth,
           ResizeNearestNeighbor: the op itself on bytes (uint8, int8). They move values, or fill up with
           zeros. On 4x56x56x64 values this took 0 to 0.4 ms, with a Dequantize and a QuantizeV2 around
           the op 0.4 to 1.5 ms; StridedSlice 1.6 and 1.9 ms.
=========  ==================================================================================

Between two INT8 ops each of them saves a Dequantize and a QuantizeV2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.quantize.groups import Decision
from intel_quantization.transforms.support.linear import is_channels_last

POOLS = ("MaxPool", "AvgPool")
MOVING = ("Transpose", "Slice", "StridedSlice", "SpaceToBatchND", "BatchToSpaceND") + (
    "DepthToSpace",
    "SpaceToDepth",
    "ResizeNearestNeighbor",
)
# Their result is the memory of their input.
ALIASING = ("Reshape", "Squeeze", "ExpandDims")
CARRYING = POOLS + ALIASING + MOVING + ("ConcatV2", "Pad")
# Those whose decision is told: they cost time, and have a kernel of their own.
TOLD = POOLS + ("ConcatV2",)


@dataclass(frozen=True)
class Carry:
    """A node that may work on INT8 values.

    Attributes:
        root: its name; its output 0 is the result.
        op: its op in the FP32 graph.
        sources: the float32 tensors that it reads.
    """

    root: str
    op: str
    sources: Tuple[str, ...]


def find_carries(
    graph: Graph, excluded_ops: Sequence[str] = (), excluded_nodes: Sequence[str] = ()
) -> Tuple[Tuple[Carry, ...], Tuple[Decision, ...]]:
    """Find the nodes that may carry INT8 values.

    Args:
        graph: the optimized FP32 graph.
        excluded_ops: op names that stay FP32.
        excluded_nodes: nodes that stay FP32.

    Returns:
        The carries in the order of the data, and a decision with its reason for each float32 pool and
        concatenation that is none.
    """
    carries: List[Carry] = []
    refused: List[Decision] = []
    for node in graph.topological():
        if node.op not in CARRYING or attribute(node, "T").type != DT_FLOAT:
            continue
        reason = "op excluded by the user" if node.op in excluded_ops else ""
        reason = reason or ("node excluded by the user" if node.name in excluded_nodes else "")
        reason = reason or _refusal(graph, node)
        inputs = graph.data_inputs(node)
        if not reason:
            carries.append(Carry(node.name, node.op, tuple(inputs[:-1] if node.op == "ConcatV2" else inputs[:1])))
        elif node.op in TOLD:
            refused.append(Decision(node.name, node.op, False, reason))
    return tuple(carries), tuple(refused)


def _refusal(graph: Graph, node: NodeDef) -> str:
    """Why a node has no INT8 form; empty where it has."""
    if node.op in POOLS:
        window = list(attribute(node, "ksize").list.i)
        if not is_channels_last(node):
            return "data format NCHW has no INT8 kernel"
        if window[0] != 1 or window[3] != 1:
            return "pooling over images or channels has no INT8 kernel"
        if attribute(node, "padding").s not in (b"SAME", b"VALID"):
            return "explicit padding has no INT8 kernel for %s" % node.op
    if node.op in ("DepthToSpace", "SpaceToDepth") and not is_channels_last(node):
        return "data format NCHW has no INT8 kernel"
    if node.op == "ConcatV2" and graph.constant(graph.data_inputs(node)[-1]) is None:
        return "the axis is not constant"
    if node.op == "Pad":
        paddings = graph.constant(graph.data_inputs(node)[1])
        if paddings is None or paddings.shape != (4, 2) or np.any(paddings[[0, 3]]):
            return "only images can be padded, by a constant"
    return ""
