"""How many channels a tensor has, told from what computes it."""

from __future__ import annotations

from typing import Optional

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import attribute, is_channels_last
from intel_quantization.graph.frames import ENTER, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.linear import LINEAR_OPS, output_channels

# Their result has the channels of their first input.
_KEEP = frozenset(
    ["BiasAdd", "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Identity", "MaxPool"]
    + ["AvgPool", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "ResizeBilinear", "ResizeNearestNeighbor"]
    + [*ENTER, *SWITCH]
)
# Enough for what stands between two linear ops; a limit keeps a pass linear.
_FURTHEST = 16


def channels_of(graph: Graph, tensor: str, rank: int, channels_first: bool = False) -> Optional[int]:
    """The number of channels of a float32 tensor.

    Args:
        graph: the graph.
        tensor: a tensor.
        rank: the number of dimensions that it must have.
        channels_first: whether it is NCHW, not NHWC or NC.

    Returns:
        None where the nodes ahead of it do not tell, or tell of another rank.
    """
    for _ in range(_FURTHEST):
        name, index = tensors.split(tensor)
        node = graph.nodes[name]
        if index and node.op not in SWITCH:
            return None
        if node.op in LINEAR_OPS:
            weights = graph.constant(graph.data_inputs(node)[1])
            if weights is None or weights.ndim != rank or is_channels_last(node) == channels_first:
                return None
            return output_channels(node, weights)
        if node.op in ("Placeholder", "PlaceholderWithDefault"):
            return _of_placeholder(node, rank, channels_first)
        if node.op not in _KEEP:
            return None
        tensor = graph.data_inputs(node)[0]
    return None


def _of_placeholder(node: NodeDef, rank: int, channels_first: bool) -> Optional[int]:
    dims = [dim.size for dim in attribute(node, "shape").shape.dim]
    if len(dims) != rank:
        return None
    size = dims[1 if channels_first else -1]
    return size if size > 0 else None
