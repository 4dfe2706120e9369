"""Linear ops (convolution, depthwise convolution, matrix product) and scaling by output channel.

All of them are linear in their weights, so for per-channel ``s`` and ``t``:
``(op(x, w) + b) * s + t == op(x, w * s) + (b * s + t)``.
"""

from __future__ import annotations

from typing import Iterator, Optional, Sequence

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Const, Match, OneOf, Op
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.registry import LINEAR as KINDS
from intel_quantization.kinds.registry import kind_of, layout_of

LINEAR_OPS = tuple(KINDS)
# A linear op that only the match reads, alone and with its BiasAdd.
LINEAR = Op("|".join(LINEAR_OPS), inputs=(Any("x"), Const("weights")), bind="linear", private=True)
BIASED = Op("BiasAdd", inputs=(LINEAR, Const("bias", 1)), bind="bias_add", private=True)
LINEAR_OR_BIASED = OneOf((LINEAR, BIASED))


def roots(graph: Graph, ops: Sequence[str]) -> Iterator[NodeDef]:
    """The nodes of some ops, also in loops and branches; what a rewrite removes meanwhile does not come.

    A new constant in a loop or a branch has to wait for the right node: see :func:`waits_of`, and ``beside``
    of :meth:`Graph.add_constant`.
    """
    for node in list(graph.nodes.values()):
        if node.op in ops and graph.nodes.get(node.name) is node:
            yield node


def output_channels(node: NodeDef, weights: np.ndarray) -> Optional[int]:
    """The number of output channels of a float32 linear op.

    Args:
        node: a linear op.
        weights: its weights.

    Returns:
        None for another type, and where the weights do not have the rank that the op asks for.
    """
    layout = layout_of(node)
    if attribute(node, "T").type != DT_FLOAT or weights.ndim != layout.rank:
        return None
    return layout.count_outputs(weights.shape)


def scale_weights(node: NodeDef, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The weights with each output channel multiplied by its scale, computed in float64.

    Args:
        node: the linear op.
        weights: float32, in the layout of the op.
        scale: one factor for each output channel.

    Returns:
        float32 of the shape of ``weights``.
    """
    scale = layout_of(node).along_outputs(scale.astype(np.float64), weights.shape)
    return (weights * scale).astype(np.float32)


def per_channel(value: np.ndarray, channels: int, rank: int, channels_first: bool = False) -> Optional[np.ndarray]:
    """A constant operand as one number for each channel of the other operand.

    Args:
        value: the operand of a broadcasting op.
        channels: the number of channels.
        rank: the number of dimensions of the other operand; more would show in the result.
        channels_first: whether the other operand is NCHW, not NHWC or NC.

    Returns:
        float64 of shape [channels]; None where it does not broadcast along the channels only.
    """
    if value.ndim > rank:
        return None
    if value.size == 1:
        return np.full(channels, float(value.reshape(-1)[0]))
    shape = (1,) * (rank - value.ndim) + value.shape
    if value.size == channels and shape[1 if channels_first else -1] == channels:
        return value.reshape(-1).astype(np.float64)
    return None


def adds_along_channels(linear: NodeDef, bias_add: NodeDef) -> bool:
    """Whether a BiasAdd adds along the channels of a linear op; with another data format it does not."""
    return not kind_of(linear).spatial or is_channels_last(linear) == is_channels_last(bias_add)


def has_bias_of_channels(found: Match) -> bool:
    """Whether the BiasAdd of a match with BIASED, where there is one, adds along the channels."""
    return "bias_add" not in found.nodes or adds_along_channels(found.nodes["linear"], found.nodes["bias_add"])


def replace_by_linear(graph: Graph, root: NodeDef, linear: NodeDef, weights: np.ndarray, bias: np.ndarray) -> None:
    """Put ``BiasAdd(linear(x, weights), bias)`` in the place and under the name of ``root``.

    The linear node keeps its name and gets new weights; ``root`` becomes the BiasAdd, so that all
    that reads it goes on reading it. What only the old subgraph used goes.

    Args:
        graph: edited in place.
        root: the last node of the subgraph; not ``linear`` itself.
        linear: the linear op, read by the subgraph only.
        weights: float32, in the layout of the op.
        bias: float, shape [channels].
    """
    source, old_weights = graph.data_inputs(linear)[:2]
    before = graph.constant(old_weights)
    waits = waits_of(graph, _constants(graph, root, linear))
    name = graph.add_constant(root.name + "/folded_bias", bias.astype(np.float32), beside=source, waits=waits)
    if before is None or not np.array_equal(before, weights):
        waits = waits_of(graph, [old_weights])
        new_weights = graph.add_constant(linear.name + "/folded_weights", weights, beside=source, waits=waits)
        graph.set_input(linear, 1, new_weights)
    replaced = [graph.producer(tensor).name for tensor in graph.data_inputs(root)]
    root_waits = graph.control_inputs(root)
    root.op = "BiasAdd"
    data_format = attribute(linear, "data_format").s
    root.attr.clear()
    root.attr["T"].type = linear.attr["T"].type
    root.attr["data_format"].s = data_format or b"NHWC"
    graph.set_inputs(root, [linear.name, name] + root_waits)
    # a BiasAdd left between would make the linear op look shared to the next rewrite
    graph.sweep(replaced)


def _constants(graph: Graph, root: NodeDef, linear: NodeDef) -> Iterator[str]:
    """The constants that the nodes from ``root`` up to ``linear`` read."""
    stack = [root]
    while stack:
        node = stack.pop()
        for tensor in graph.data_inputs(node):
            if graph.constant(tensor) is not None:
                yield tensor
            elif node is not linear:
                stack.append(graph.producer(tensor))
