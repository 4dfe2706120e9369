"""Random numbers in a graph: which tensors lie in [0, 1), as those that a dropout draws."""

from __future__ import annotations

from typing import Optional

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph

# tf.random.uniform writes RandomUniform * (1 - 0) + 0
_FURTHEST = 4


def is_unit_random(graph: Graph, tensor: str) -> bool:
    """Whether a tensor is a RandomUniform, times 1, plus 0, behind Identity."""
    for _ in range(_FURTHEST):
        node = graph.nodes[tensors.node_of(tensor)]
        if node.op == "RandomUniform":
            return True
        neutral = {"Mul": 1.0, "Add": 0.0, "AddV2": 0.0}.get(node.op)
        inputs = graph.data_inputs(node)
        if node.op != "Identity" and (neutral is None or scalar(graph, inputs[1]) != neutral):
            return False
        tensor = inputs[0]
    return False


def scalar(graph: Graph, tensor: str) -> Optional[float]:
    """The value of a constant with one element, else None."""
    value = graph.constant(tensor)
    return float(value.reshape(-1)[0]) if value is not None and value.size == 1 and value.dtype.kind in "fiu" else None
