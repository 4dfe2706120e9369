"""What the linear op of a group reads for one position of its output."""

from __future__ import annotations

from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import LINEAR
from intel_quantization.kinds.window import Window


def window_of(graph: Graph, group: Group) -> Window:
    """The window of a candidate.

    Args:
        graph: the optimized FP32 graph.
        group: as :func:`~intel_quantization.quantize.candidates.find_candidates` gives it.
    """
    node = graph.nodes[group.linear]
    weights = graph.constant(graph.data_inputs(node)[1])
    assert weights is not None  # a condition of every candidate
    return LINEAR[group.op].window(node, group, weights.shape)
