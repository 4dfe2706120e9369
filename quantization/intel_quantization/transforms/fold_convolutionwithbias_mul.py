"""Fold a per-channel multiplication or division into the linear op before it.

::

    (op(x, w) + b) * s == op(x, w * s) + b * s

Conditions: ``s`` is a constant that broadcasts along the channels only (NHWC or NCHW), and nothing else
reads the nodes between.
"""

from __future__ import annotations

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.channel_map import has_constant_operand
from intel_quantization.transforms.support.factors import factor_behind, refuse_factor
from intel_quantization.transforms.support.linear import (
    LINEAR_OR_BIASED,
    has_bias_of_channels,
    replace_by_linear,
    scale_weights,
)


def _refuse(_graph: Graph, node: NodeDef, found: Match) -> str:
    if not has_bias_of_channels(found):
        return "'%s' has another data format than '%s'" % (found.nodes["bias_add"].name, found.nodes["linear"].name)
    return refuse_factor(node, found)


def _fold(graph: Graph, node: NodeDef, found: Match) -> None:
    factor = factor_behind(node, found)
    assert factor is not None  # refuse_factor has looked
    linear = found.nodes["linear"]
    bias = found.values.get("bias", np.zeros(factor.size)).astype(np.float64) * factor
    replace_by_linear(graph, node, linear, scale_weights(linear, found.values["weights"], factor), bias)


_PATTERNS = tuple(
    Op(op, inputs=(LINEAR_OR_BIASED, Const("factor")), commutative=op == "Mul") for op in ("Mul", "RealDiv")
)
fold_convolutionwithbias_mul = Rules(
    "fold_convolutionwithbias_mul",
    Rule(_PATTERNS, rewrite=_fold, refuse=_refuse, concerns=has_constant_operand),
)
