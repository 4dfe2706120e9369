"""Ranges of tensors that were seen on made-up data only: what bounds them, what batch norms remember, and room.

To clip a value that real data have costs far more than a range that is too wide: half as wide again is half a bit of
eight.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Mapping, Optional, Tuple

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2

from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from intel_quantization.graph import tensors

Range = Tuple[float, float]
Channels = Tuple[np.ndarray, np.ndarray]
"""What a batch norm remembers: beta and gamma, each [channels]."""

ROOM = 1.5
"""By how much a range is widened that nothing else tells."""
DEVIATIONS = 6.0
"""How far from its mean a channel gets, in deviations, where a batch norm remembers both."""
_BOUNDS = {
    "Relu6": (0.0, 6.0),
    "Sigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
}
_PASSING = ("MaxPool", "AvgPool", "Mean", "Reshape", "Squeeze", "ExpandDims", "Identity", "Transpose", "ConcatV2")
_NORMED = ("BiasAdd", "Relu")


def made_up_ranges(
    statistics: Statistics, graph_def: graph_pb2.GraphDef, norms: Mapping[str, Channels]
) -> Dict[str, int]:
    """Change the ranges of tensors that were seen on made-up data to what real data may have.

    Args:
        statistics: changed in place; inputs stay as they are.
        graph_def: the optimized FP32 graph.
        norms: by the name of the node whose output has them.

    Returns:
        How many tensors have a range from what: "activation", "norm" or "room".
    """
    nodes = {node.name: node for node in graph_def.node}
    counts = {"activation": 0, "norm": 0, "room": 0}
    for name, found in statistics.tensors.items():
        node = nodes.get(tensors.node_of(name))
        if not found.count or node is None or node.op.startswith("Placeholder"):
            continue
        how, changed = _follow_change(nodes, node, found, norms)
        counts[how] += 1
        statistics.tensors[name] = changed
    return counts


def _follow_change(
    nodes: Dict[str, node_def_pb2.NodeDef],
    node: node_def_pb2.NodeDef,
    found: TensorStatistics,
    norms: Mapping[str, Channels],
) -> Tuple[str, TensorStatistics]:
    bounds = _find_bounds(nodes, node)
    if bounds is not None:
        return "activation", replace(found, minimum=bounds[0], maximum=bounds[1])
    remembered = _find_remembered(nodes, node, norms)
    if remembered is not None:
        low, high = remembered
        changed = replace(found, minimum=float(low.min()), maximum=float(high.max()))
        return "norm", replace(changed, channel_minimum=low, channel_maximum=high)
    return "room", replace(
        found,
        minimum=ROOM * found.minimum,
        maximum=ROOM * found.maximum,
        channel_minimum=None if found.channel_minimum is None else ROOM * found.channel_minimum,
        channel_maximum=None if found.channel_maximum is None else ROOM * found.channel_maximum,
    )


def _find_bounds(nodes: Dict[str, node_def_pb2.NodeDef], node: node_def_pb2.NodeDef, depth: int = 8) -> Optional[Range]:
    """What an activation in front bounds a tensor to; None where none does."""
    if node.op in _BOUNDS:
        return _BOUNDS[node.op]
    if node.op not in _PASSING or not depth:
        return None
    sources = [name for name in node.input if not tensors.is_control(name)]
    sources = sources[:-1] if node.op == "ConcatV2" else sources[:1]
    found = [_find_bounds(nodes, nodes[tensors.node_of(name)], depth - 1) for name in sources]
    known = [bounds for bounds in found if bounds is not None]
    if not known or len(known) < len(found):
        return None
    return min(low for low, _high in known), max(high for _low, high in known)


def _find_remembered(
    nodes: Dict[str, node_def_pb2.NodeDef], node: node_def_pb2.NodeDef, norms: Mapping[str, Channels]
) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """The range of each channel behind a batch norm and perhaps a Relu; None where there is none."""
    source = nodes[tensors.node_of(node.input[0])] if node.op == "Relu" else node
    if node.op not in _NORMED or source.name not in norms:
        return None
    beta, gamma = norms[source.name]
    spread = DEVIATIONS * np.abs(gamma)
    low, high = beta - spread, beta + spread
    if node.op == "Relu":
        low, high = np.zeros_like(low), np.maximum(high, 0.0)
    return low, high
