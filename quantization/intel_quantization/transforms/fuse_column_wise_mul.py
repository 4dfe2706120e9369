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

from intel_quantization.graph.attributes import attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Const, Match, Op, Pattern
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.registry import layout_of
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.channel_map import has_constant_operand
from intel_quantization.transforms.support.channels import channels_of
from intel_quantization.transforms.support.factors import factor_behind, factor_of, refuse_factor
from intel_quantization.transforms.support.linear import LINEAR, LINEAR_OPS, output_channels, scale_weights
from intel_quantization.transforms.support.take_place import take_place

# -- behind a linear op --------------------------------------------------------------------------


def _concerns_behind(graph: Graph, node: NodeDef) -> bool:
    # behind a BiasAdd it is for fold_convolutionwithbias_mul
    sources = (graph.producer(name).op for name in graph.data_inputs(node)[:2])
    return has_constant_operand(graph, node) and "BiasAdd" not in sources


def _refuse_behind(graph: Graph, node: NodeDef, found: Match) -> str:
    return "'%s' is an output" % node.name if graph.is_output(node.name) else refuse_factor(node, found)


def _fold_behind(graph: Graph, node: NodeDef, found: Match) -> None:
    factor = factor_behind(node, found)
    assert factor is not None  # refuse_factor has looked
    linear = found.nodes["linear"]
    _set_weights(graph, node, linear, scale_weights(linear, found.values["weights"], factor))
    take_place(graph, node, linear.name)


# -- before linear ops ---------------------------------------------------------------------------


def _concerns_before(graph: Graph, node: NodeDef) -> bool:
    return has_constant_operand(graph, node) and any(
        reader.op in LINEAR_OPS and index == 0 for reader, index in graph.readers(node.name)
    )


def _refuse_before(graph: Graph, node: NodeDef, found: Match) -> str:
    readers = graph.readers(node.name)
    if graph.is_output(node.name):
        return "'%s' is an output" % node.name
    if len(readers) != len(graph.consumers(node.name)):
        return "another node waits for '%s'" % node.name
    for linear, index in readers:
        if linear.op not in LINEAR_OPS or index != 0:
            return "'%s', which also reads '%s', is a %s" % (linear.name, node.name, linear.op)
        weights = graph.constant(graph.data_inputs(linear)[1])
        if weights is None:
            return "the weights of '%s' are not constant" % linear.name
        if _factor_before(graph, node, linear, weights, found) is None:
            return "'%s' is no operation of a constant for each input channel of '%s'" % (node.name, linear.name)
    return ""


def _factor_before(
    graph: Graph, node: NodeDef, linear: NodeDef, weights: np.ndarray, found: Match
) -> Optional[np.ndarray]:
    """The factors of the weights' rows, in a shape that broadcasts over the weights."""
    if output_channels(linear, weights) is None or attribute(linear, "transpose_a").b:
        return None
    layout = layout_of(linear)
    channels = weights.shape[layout.inputs]
    channels_first = not is_channels_last(linear)
    source, constant = found.tensors["x"], found.values["factor"]
    factor = factor_of(node, constant, channels, weights.ndim, channels_first)
    if factor is None:
        return None
    # x of one channel or of lower rank would be widened; with groups, weights have fewer rows than x has channels
    is_wide = constant.size > 1 or constant.ndim > 1
    if is_wide and channels_of(graph, source, weights.ndim, channels_first) != channels:
        return None
    return layout.along_inputs(factor)


def _fold_before(graph: Graph, node: NodeDef, found: Match) -> None:
    scaled: List[Tuple[NodeDef, np.ndarray]] = []
    for linear, _index in graph.readers(node.name):
        weights = graph.constant(graph.data_inputs(linear)[1])
        factor = None if weights is None else _factor_before(graph, node, linear, weights, found)
        assert weights is not None  # _refuse_before has looked at both
        assert factor is not None
        scaled.append((linear, (weights * factor).astype(np.float32)))
    for linear, product in scaled:
        _set_weights(graph, node, linear, product)
    take_place(graph, node, found.tensors["x"])


def _set_weights(graph: Graph, node: NodeDef, linear: NodeDef, weights: np.ndarray) -> None:
    source, old_weights = graph.data_inputs(linear)[:2]
    waits = waits_of(graph, [old_weights, *graph.data_inputs(node)])
    name = graph.add_constant(linear.name + "/folded_weights", weights, beside=source, waits=waits)
    replaced = graph.producer(old_weights).name
    graph.set_input(linear, 1, name)
    graph.sweep([replaced])


def _patterns(source: Pattern) -> Tuple[Op, ...]:
    return tuple(Op(op, inputs=(source, Const("factor")), commutative=op == "Mul") for op in ("Mul", "RealDiv"))


fuse_column_wise_mul = Rules(
    "fuse_column_wise_mul",
    Rule(_patterns(LINEAR), rewrite=_fold_behind, refuse=_refuse_behind, concerns=_concerns_behind),
    Rule(_patterns(Any("x")), rewrite=_fold_before, refuse=_refuse_before, concerns=_concerns_before),
)
