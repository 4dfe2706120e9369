"""What the linear op of a group reads for one position of its output."""

from __future__ import annotations

from typing import Optional, Tuple

from intel_quantization.calibration.patches import Window
from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import Graph
from intel_quantization.quantize.groups import Group


def window_of(graph: Graph, group: Group) -> Window:
    """The window of a candidate.

    Args:
        graph: the optimized FP32 graph.
        group: as :func:`~intel_quantization.quantize.candidates.find_candidates` gives it.
    """
    node = graph.nodes[group.linear]
    weights = graph.constant(graph.data_inputs(node)[1])
    assert weights is not None  # a condition of every candidate
    if node.op == "MatMul":
        inputs = weights.shape[1 if attribute(node, "transpose_b").b else 0]
        return Window(group.source, None, channels=int(inputs), outputs=int(weights.size // inputs))
    strides, dilations = (_pair(list(attribute(node, key).list.i)) for key in ("strides", "dilations"))
    pads: Optional[Tuple[int, int, int, int]] = group.pads
    if pads is None and attribute(node, "padding").s == b"VALID":
        pads = (0, 0, 0, 0)
    height, width, channels = (int(size) for size in weights.shape[:3])
    outputs = 1 if node.op == "DepthwiseConv2dNative" else int(weights.shape[3])
    return Window(group.source, (height, width), strides, dilations, pads, channels, outputs)


def _pair(values: list) -> Tuple[int, int]:
    return (int(values[1]), int(values[2])) if len(values) == 4 else (1, 1)
