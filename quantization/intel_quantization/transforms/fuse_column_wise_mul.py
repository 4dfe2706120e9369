"""Fold a multiplication or division of each column (channel) by a constant into the weights beside it.

::

    op(x, w) * s == op(x, w * s)          s for each output channel, behind the linear op
    op(x * s, w) == op(x, w' )            s for each input channel, before it: w' = w with its rows times s

Zero padding stays zero when it is scaled, so both hold for any padding. The linear op keeps its name
and gets no bias; where a bias stands between, fold_convolutionwithbias_mul does it.

Conditions: constant weights; the constant broadcasts along the channels only (NHWC or NCHW); no
division by zero. Behind: nothing else reads the linear op, and the product is no output. Before:
every reader of the product is a linear op, none of them in groups, and the product is no wider than x.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op, match
from intel_quantization.graph.waits import waits_of
from intel_quantization.transforms.support.channels import channels_of
from intel_quantization.transforms.support.linear import (
    LINEAR,
    LINEAR_OPS,
    is_channels_last,
    output_channels,
    per_channel,
    roots,
    scale_weights,
)
from intel_quantization.transforms.support.take_place import take_place

_PATTERNS = {op: Op(op, inputs=(LINEAR, Const("factor")), commutative=op == "Mul") for op in ("Mul", "RealDiv")}


def fuse_column_wise_mul(graph: Graph) -> int:
    """Fold every such multiplication; returns how many."""
    return sum(_fold_behind(graph, node) or _fold_before(graph, node) for node in roots(graph, tuple(_PATTERNS)))


def _fold_behind(graph: Graph, node: NodeDef) -> bool:
    found = match(graph, node, _PATTERNS[node.op])
    if not isinstance(found, Match) or graph.is_output(node.name):
        return False
    linear, weights = found.nodes["linear"], found.values["weights"]
    channels = output_channels(linear, weights)
    if channels is None:
        return False
    factor = _factor(node, per_channel(found.values["factor"], channels, weights.ndim, not is_channels_last(linear)))
    if factor is None:
        return False
    _set_weights(graph, node, linear, scale_weights(linear, weights, factor))
    take_place(graph, node, linear.name)
    return True


def _fold_before(graph: Graph, node: NodeDef) -> bool:
    operand = _operand(graph, node)
    readers = graph.readers(node.name)
    if operand is None or not readers or graph.is_output(node.name) or len(readers) != len(graph.consumers(node.name)):
        return False
    source, constant = operand
    scaled: List[Tuple[NodeDef, np.ndarray]] = []
    for linear, index in readers:
        if linear.op not in LINEAR_OPS or index != 0:
            return False
        weights = graph.constant(graph.data_inputs(linear)[1])
        product = None if weights is None else _scale_rows(graph, node, linear, weights, (source, constant))
        if product is None:
            return False
        scaled.append((linear, product))
    for linear, product in scaled:
        _set_weights(graph, node, linear, product)
    take_place(graph, node, source)
    return True


def _operand(graph: Graph, node: NodeDef) -> Optional[Tuple[str, np.ndarray]]:
    """The tensor that a node scales, and the constant."""
    inputs = graph.data_inputs(node)
    for place in (0, 1) if node.op == "Mul" else (0,):
        constant = graph.constant(inputs[1 - place])
        if constant is not None and graph.constant(inputs[place]) is None:
            return inputs[place], constant
    return None


def _scale_rows(
    graph: Graph, node: NodeDef, linear: NodeDef, weights: np.ndarray, operand: Tuple[str, np.ndarray]
) -> Optional[np.ndarray]:
    if output_channels(linear, weights) is None or attribute(linear, "transpose_a").b:
        return None
    axis = 2
    if linear.op == "MatMul":
        axis = 1 if attribute(linear, "transpose_b").b else 0
    channels = weights.shape[axis]
    channels_first = not is_channels_last(linear)
    source, constant = operand
    factor = _factor(node, per_channel(constant, channels, weights.ndim, channels_first))
    if factor is None:
        return None
    # x of one channel or of lower rank would be widened; with groups, weights have fewer rows than x has channels
    if (constant.size > 1 or constant.ndim > 1) and channels_of(
        graph, source, weights.ndim, channels_first
    ) != channels:
        return None
    shape = [1] * weights.ndim
    shape[axis] = channels
    return (weights * factor.reshape(shape)).astype(np.float32)


def _factor(node: NodeDef, operand: Optional[np.ndarray]) -> Optional[np.ndarray]:
    if operand is None or node.op == "Mul":
        return operand
    return 1.0 / operand if np.all(operand) else None


def _set_weights(graph: Graph, node: NodeDef, linear: NodeDef, weights: np.ndarray) -> None:
    source, old_weights = graph.data_inputs(linear)[:2]
    waits = waits_of(graph, [old_weights, *graph.data_inputs(node)])
    name = graph.add_constant(linear.name + "/folded_weights", weights, beside=source, waits=waits)
    replaced = graph.producer(old_weights).name
    graph.set_input(linear, 1, name)
    graph.sweep([replaced])
