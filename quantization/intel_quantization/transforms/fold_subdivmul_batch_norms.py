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

from typing import List, Optional, Tuple, Union

import numpy as np

from intel_quantization.graph.attributes import is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Const, Match, Mismatch, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.channel_map import PIECES, Map, chain, map_of, unchanged
from intel_quantization.transforms.support.linear import (
    LINEAR_OPS,
    adds_along_channels,
    output_channels,
    per_channel,
    replace_by_linear,
    scale_weights,
)


def _is_followed(graph: Graph, linear: NodeDef) -> bool:
    """Whether a piece follows a linear op or its BiasAdd; spares most linear ops a look at their weights."""
    readers = graph.consumers(linear.name)
    if len(readers) == 1 and readers[0].op == "BiasAdd":
        readers = graph.consumers(readers[0].name)
    return any(reader.op in PIECES for reader in readers)


def _refuse(graph: Graph, linear: NodeDef, found: Match) -> Union[str, Mismatch]:
    """The reason why the chain ends is that of the piece that it does not take in."""
    weights = found.values["weights"]
    channels = output_channels(linear, weights)
    if channels is None:
        return "'%s' is not float32" % linear.name
    pieces, _map, end = _pieces(graph, linear, channels, weights.ndim)
    return "" if _is_worth(graph, pieces) else end


def _fold(graph: Graph, linear: NodeDef, found: Match) -> None:
    weights = found.values["weights"]
    channels = output_channels(linear, weights)
    assert channels is not None  # _refuse has looked
    pieces, (scale, shift), _end = _pieces(graph, linear, channels, weights.ndim)
    replace_by_linear(graph, pieces[-1], linear, scale_weights(linear, weights, scale), shift)


def _pieces(graph: Graph, linear: NodeDef, channels: int, rank: int) -> Tuple[List[NodeDef], Map, Mismatch]:
    """The pieces behind a linear op, the map that they make together, and why there are no more."""
    pieces: List[NodeDef] = []
    total = unchanged(channels)
    node = linear
    while True:
        readers = [reader for reader in graph.consumers(node.name) if reader.op in PIECES]
        if not readers:
            return pieces, total, Mismatch("")
        following = readers[0]
        reason = ""
        step = None
        if not graph.is_private(node.name):
            reason = "'%s' is also read elsewhere" % node.name
        elif node is not linear and graph.control_inputs(node):
            reason = "'%s' waits for other nodes" % node.name
        else:
            step = _step(graph, following, node.name, linear, (channels, rank))
        if step is None:
            reason = reason or (
                "'%s' is no operation of a constant for each channel of '%s'" % (following.name, linear.name)
            )
            return pieces, total, Mismatch(reason, node=following.name)
        total = chain(total, step)
        pieces.append(following)
        node = following


def _step(graph: Graph, node: NodeDef, source: str, linear: NodeDef, size: Tuple[int, int]) -> Optional[Map]:
    """The map of a piece that reads ``source``; ``size`` is the number of channels and the rank."""
    inputs = graph.data_inputs(node)
    if inputs.count(source) != 1:
        return None  # x * x, or a piece that only waits for x
    if node.op == "Neg":
        return map_of(node.op, np.ones(size[0]))
    place = inputs.index(source)
    value = graph.constant(inputs[1 - place])
    if value is None:
        return None
    if node.op == "BiasAdd":
        fits = place == 0 and value.shape == (size[0],) and adds_along_channels(linear, node)
        return map_of(node.op, value.astype(np.float64)) if fits else None
    operand = per_channel(value, size[0], size[1], not is_channels_last(linear))
    return None if operand is None else map_of(node.op, operand, place)


def _is_worth(graph: Graph, pieces: List[NodeDef]) -> bool:
    """Whether there is more than the one piece that another pass takes."""
    if any(node.op == "Neg" or _subtracts_from_constant(graph, node) for node in pieces):
        return True
    return len(pieces) > (2 if pieces and pieces[0].op == "BiasAdd" else 1)


def _subtracts_from_constant(graph: Graph, node: NodeDef) -> bool:
    return node.op == "Sub" and graph.constant(graph.data_inputs(node)[0]) is not None


fold_subdivmul_batch_norms = Rules(
    "fold_subdivmul_batch_norms",
    Rule(
        (Op("|".join(LINEAR_OPS), inputs=(Any("x"), Const("weights"))),),
        rewrite=_fold,
        refuse=_refuse,
        concerns=_is_followed,
    ),
)
