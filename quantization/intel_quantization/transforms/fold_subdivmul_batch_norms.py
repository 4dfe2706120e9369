"""Fold a batch norm that is written in pieces, of any form and order, into the linear op before it.

::

    x * (gamma * rsqrt(v + e)) + (beta - mean * gamma * rsqrt(v + e))       TF-slim, the MobileNets
    (x - mean) / sqrt(v + e) * gamma + beta                                 Keras, by hand
    beta - x * s,  -x + t, …

with ``x = op(…, w) + b``. Each piece (Mul, RealDiv, Div, Sub, Add, AddV2, BiasAdd, Neg) with a constant is a
map ``y -> y * s + t`` of each channel, and so is the chain of them, which is worked out in float64:
``op(…, w) * S + T == op(…, w * S) + T``.

Conditions: constant weights; the constants broadcast along the channels only (NHWC or NCHW); no
division by zero; nothing else reads what is between. A single piece is left to the passes
for that piece: fuse_bias_add, fuse_column_wise_mul, fold_convolutionwithbias_mul.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.linear import (
    LINEAR_OPS,
    adds_along_channels,
    is_channels_last,
    output_channels,
    per_channel,
    replace_by_linear,
    roots,
    scale_weights,
)

_PIECES = ("Mul", "RealDiv", "Div", "Sub", "Add", "AddV2", "BiasAdd", "Neg")
_Map = Tuple[np.ndarray, np.ndarray]


def fold_subdivmul_batch_norms(graph: Graph) -> int:
    """Fold every chain of pieces; returns how many."""
    count = 0
    for linear in roots(graph, LINEAR_OPS):
        if not _is_followed(graph, linear):
            continue
        weights = graph.constant(graph.data_inputs(linear)[1])
        channels = None if weights is None else output_channels(linear, weights)
        if weights is None or channels is None:
            continue
        pieces, (scale, shift), _ = _chain(graph, linear, channels, weights.ndim)
        if _is_worth(graph, pieces):
            replace_by_linear(graph, pieces[-1], linear, scale_weights(linear, weights, scale), shift)
            count += 1
    return count


def _is_followed(graph: Graph, linear: NodeDef) -> bool:
    """Whether a piece follows a linear op or its BiasAdd; spares most linear ops a look at their weights."""
    readers = graph.consumers(linear.name)
    if len(readers) == 1 and readers[0].op == "BiasAdd":
        readers = graph.consumers(readers[0].name)
    return len(readers) == 1 and readers[0].op in _PIECES


def why_not(graph: Graph, linear: NodeDef) -> str:
    """Where the chain of pieces behind a linear op ends, and why; empty where what follows is no piece."""
    weights = graph.constant(graph.data_inputs(linear)[1])
    if weights is None:
        return "the weights of '%s' are not constant" % linear.name
    channels = output_channels(linear, weights)
    if channels is None:
        return "'%s' is not float32" % linear.name
    return _chain(graph, linear, channels, weights.ndim)[2]


def _chain(graph: Graph, linear: NodeDef, channels: int, rank: int) -> Tuple[List[NodeDef], _Map, str]:
    """The pieces behind a linear op, the map that they make together, and why there are no more."""
    pieces: List[NodeDef] = []
    scale, shift = np.ones(channels), np.zeros(channels)
    node = linear
    while True:
        readers = [reader for reader in graph.consumers(node.name) if reader.op in _PIECES]
        if not readers:
            return pieces, (scale, shift), ""
        following = readers[0]
        if not graph.is_private(node.name):
            return pieces, (scale, shift), "'%s' is also read elsewhere" % node.name
        if node is not linear and graph.control_inputs(node):
            return pieces, (scale, shift), "'%s' waits for other nodes" % node.name
        step = _step(graph, following, node.name, linear, (channels, rank))
        if step is None:
            reason = "'%s' is no operation of a constant for each channel of '%s'" % (following.name, linear.name)
            return pieces, (scale, shift), reason
        scale, shift = scale * step[0], shift * step[0] + step[1]
        pieces.append(following)
        node = following


def _step(graph: Graph, node: NodeDef, source: str, linear: NodeDef, size: Tuple[int, int]) -> Optional[_Map]:
    """Scale and shift of a piece that reads ``source``; ``size`` is the number of channels and the rank."""
    one, zero = np.ones(size[0]), np.zeros(size[0])
    inputs = graph.data_inputs(node)
    if inputs.count(source) != 1:
        return None  # x * x, or a piece that only waits for x
    if node.op == "Neg":
        return -one, zero
    place = inputs.index(source)
    value = graph.constant(inputs[1 - place])
    if value is None:
        return None
    if node.op == "BiasAdd":
        fits = place == 0 and value.shape == (size[0],) and adds_along_channels(linear, node)
        return (one, value.astype(np.float64)) if fits else None
    operand = per_channel(value, size[0], size[1], not is_channels_last(linear))
    if operand is None:
        return None
    if node.op in ("RealDiv", "Div"):
        return (1.0 / operand, zero) if place == 0 and np.all(operand) else None
    if node.op == "Mul":
        return operand, zero
    if node.op == "Sub":
        return (one, -operand) if place == 0 else (-one, operand)
    return one, operand


def _is_worth(graph: Graph, pieces: List[NodeDef]) -> bool:
    """Whether there is more than the one piece that another pass takes."""
    if any(node.op == "Neg" or _subtracts_from_constant(graph, node) for node in pieces):
        return True
    return len(pieces) > (2 if pieces and pieces[0].op == "BiasAdd" else 1)


def _subtracts_from_constant(graph: Graph, node: NodeDef) -> bool:
    return node.op == "Sub" and graph.constant(graph.data_inputs(node)[0]) is not None
