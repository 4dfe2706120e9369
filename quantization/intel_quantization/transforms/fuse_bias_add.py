"""Bring every constant that is added behind a linear op into one BiasAdd.

::

    (op(x, w) + b) + c == op(x, w) + (b + c)        also with Sub, and from Add, AddV2 and BiasAdd

Conditions: the constant broadcasts along the channels only (NHWC or NCHW), and nothing else reads
the nodes between.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op, match
from intel_quantization.transforms.support.linear import (
    BIASED,
    LINEAR,
    adds_along_channels,
    has_bias_of_channels,
    is_channels_last,
    output_channels,
    per_channel,
    replace_by_linear,
    roots,
)

# A BiasAdd right behind the linear op is what this pass makes: only a second addition is folded into it.
_SOURCES = {"Add": (LINEAR, BIASED), "AddV2": (LINEAR, BIASED), "Sub": (LINEAR, BIASED), "BiasAdd": (BIASED,)}


def fuse_bias_add(graph: Graph) -> int:
    """Fold every such addition; returns how many."""
    count = 0
    for node in roots(graph, tuple(_SOURCES)):
        for source in _SOURCES[node.op]:
            pattern = Op(node.op, inputs=(source, Const("term")), commutative=node.op in ("Add", "AddV2"))
            if _fold(graph, node, match(graph, node, pattern)):
                count += 1
                break
    return count


def _fold(graph: Graph, node: NodeDef, found: object) -> bool:
    if not isinstance(found, Match):
        return False
    linear, weights = found.nodes["linear"], found.values["weights"]
    channels = output_channels(linear, weights)
    if channels is None or not has_bias_of_channels(found):
        return False
    term = _term(node, linear, found.values["term"], channels, weights.ndim)
    if term is None:
        return False
    bias = found.values.get("bias", np.zeros(channels)).astype(np.float64)
    replace_by_linear(graph, node, linear, weights, bias - term if node.op == "Sub" else bias + term)
    return True


def _term(node: NodeDef, linear: NodeDef, value: np.ndarray, channels: int, rank: int) -> Optional[np.ndarray]:
    if node.op != "BiasAdd":
        return per_channel(value, channels, rank, not is_channels_last(linear))
    if value.shape != (channels,) or not adds_along_channels(linear, node):
        return None
    return value.astype(np.float64)
