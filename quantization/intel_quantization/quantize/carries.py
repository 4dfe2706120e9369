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
=========  ==================================================================================

Between two INT8 ops each of them saves a Dequantize and a QuantizeV2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.linear import is_channels_last

POOLS = ("MaxPool", "AvgPool")
# Their result is the memory of their input.
ALIASING = ("Reshape", "Squeeze", "ExpandDims")
CARRYING = POOLS + ALIASING + ("ConcatV2", "Pad")
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
) -> Tuple[Carry, ...]:
    """Find the nodes that may carry INT8 values, in the order of the data.

    Args:
        graph: the optimized FP32 graph.
        excluded_ops: op names that stay FP32.
        excluded_nodes: nodes that stay FP32.
    """
    result = []
    for node in graph.topological():
        if node.op not in CARRYING or node.op in excluded_ops or node.name in excluded_nodes:
            continue
        if attribute(node, "T").type == DT_FLOAT and _has_int8_form(graph, node):
            inputs = graph.data_inputs(node)
            result.append(Carry(node.name, node.op, tuple(inputs[:-1] if node.op == "ConcatV2" else inputs[:1])))
    return tuple(result)


def _has_int8_form(graph: Graph, node: NodeDef) -> bool:
    if node.op in POOLS:
        window = list(attribute(node, "ksize").list.i)
        explicit = attribute(node, "padding").s not in (b"SAME", b"VALID")
        return is_channels_last(node) and window[0] == window[3] == 1 and not explicit
    if node.op == "ConcatV2":
        return graph.constant(graph.data_inputs(node)[-1]) is not None
    if node.op == "Pad":
        paddings = graph.constant(graph.data_inputs(node)[1])
        return paddings is not None and paddings.shape == (4, 2) and not np.any(paddings[[0, 3]])
    return True
