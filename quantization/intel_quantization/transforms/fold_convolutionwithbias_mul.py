"""Fold a per-channel multiplication or division into the linear op before it.

::

    (op(x, w) + b) * s == op(x, w * s) + b * s

Conditions: ``s`` is a constant that broadcasts along the channels only (NHWC or NCHW), and nothing else
reads the nodes between.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op, match
from intel_quantization.transforms.support.linear import (
    BIASED,
    LINEAR,
    has_bias_of_channels,
    is_channels_last,
    output_channels,
    per_channel,
    replace_by_linear,
    roots,
    scale_weights,
)

_PATTERNS = tuple(
    Op(op, inputs=(source, Const("factor")), commutative=op == "Mul")
    for op in ("Mul", "RealDiv")
    for source in (LINEAR, BIASED)
)


def fold_convolutionwithbias_mul(graph: Graph) -> int:
    """Fold every such multiplication; returns how many."""
    count = 0
    for node in roots(graph, ("Mul", "RealDiv")):
        count += any(_fold(graph, node, match(graph, node, pattern)) for pattern in _PATTERNS if pattern.op == node.op)
    return count


def _fold(graph: Graph, node: NodeDef, found: object) -> bool:
    if not isinstance(found, Match):
        return False
    linear, weights = found.nodes["linear"], found.values["weights"]
    channels = output_channels(linear, weights)
    if channels is None or not has_bias_of_channels(found):
        return False
    factor = _factor(node, per_channel(found.values["factor"], channels, weights.ndim, not is_channels_last(linear)))
    if factor is None:
        return False
    bias = found.values.get("bias", np.zeros(channels)).astype(np.float64) * factor
    replace_by_linear(graph, node, linear, scale_weights(linear, weights, factor), bias)
    return True


def _factor(node: NodeDef, operand: Optional[np.ndarray]) -> Optional[np.ndarray]:
    if operand is None or node.op == "Mul":
        return operand
    return 1.0 / operand if np.all(operand) else None
