"""Bring every constant that is added behind a linear op into one BiasAdd.

::

    (op(x, w) + b) + c == op(x, w) + (b + c)        also with Sub, and from Add, AddV2 and BiasAdd

Conditions: the constant broadcasts along the channels only (NHWC or NCHW), and nothing else reads
the nodes between.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from intel_quantization.graph.attributes import is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.channel_map import has_constant_operand
from intel_quantization.transforms.support.linear import (
    BIASED,
    LINEAR_OR_BIASED,
    adds_along_channels,
    has_bias_of_channels,
    output_channels,
    per_channel,
    replace_by_linear,
)


def _concerns(graph: Graph, node: NodeDef) -> bool:
    # a BiasAdd right behind the linear op is what this pass makes: only a second addition is folded into it
    return has_constant_operand(graph, node) and (node.op != "BiasAdd" or graph.producer(node.input[0]).op == "BiasAdd")


def _refuse(_graph: Graph, node: NodeDef, found: Match) -> str:
    linear = found.nodes["linear"]
    if output_channels(linear, found.values["weights"]) is None:
        return "'%s' is not float32" % linear.name
    if not has_bias_of_channels(found):
        return "'%s' has another data format than '%s'" % (found.nodes["bias_add"].name, linear.name)
    if _term(node, found) is None:
        return "'%s' does not add a constant to each channel of '%s'" % (node.name, linear.name)
    return ""


def _term(node: NodeDef, found: Match) -> Optional[np.ndarray]:
    linear, weights, value = found.nodes["linear"], found.values["weights"], found.values["term"]
    channels = output_channels(linear, weights)
    assert channels is not None  # _refuse has looked
    if node.op != "BiasAdd":
        return per_channel(value, channels, weights.ndim, not is_channels_last(linear))
    if value.shape != (channels,) or not adds_along_channels(linear, node):
        return None
    return value.astype(np.float64)


def _fold(graph: Graph, node: NodeDef, found: Match) -> None:
    term = _term(node, found)
    assert term is not None  # _refuse has looked
    bias = found.values.get("bias", np.zeros(term.size)).astype(np.float64)
    bias = bias - term if node.op == "Sub" else bias + term
    replace_by_linear(graph, node, found.nodes["linear"], found.values["weights"], bias)


fuse_bias_add = Rules(
    "fuse_bias_add",
    Rule(
        (
            Op("Add|AddV2", inputs=(LINEAR_OR_BIASED, Const("term")), commutative=True),
            Op("Sub", inputs=(LINEAR_OR_BIASED, Const("term"))),
            Op("BiasAdd", inputs=(BIASED, Const("term"))),
        ),
        rewrite=_fold,
        refuse=_refuse,
        concerns=_concerns,
    ),
)
