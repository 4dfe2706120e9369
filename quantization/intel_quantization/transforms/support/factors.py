"""A constant by which the result of a linear op is multiplied or divided, for each channel."""

from __future__ import annotations

from typing import Optional

import numpy as np

from intel_quantization.graph.attributes import is_channels_last
from intel_quantization.graph.graph import NodeDef
from intel_quantization.graph.pattern import Match
from intel_quantization.transforms.support.channel_map import map_of
from intel_quantization.transforms.support.linear import output_channels, per_channel


def factor_behind(node: NodeDef, found: Match) -> Optional[np.ndarray]:
    """The factors that a match with ``linear``, ``weights`` and ``factor`` multiplies the output channels by.

    Args:
        node: the Mul or RealDiv.
        found: the match.

    Returns:
        float64 of shape [channels]; None where refuse_factor has a reason.
    """
    linear, weights = found.nodes["linear"], found.values["weights"]
    channels = output_channels(linear, weights)
    if channels is None:
        return None
    return factor_of(node, found.values["factor"], channels, weights.ndim, not is_channels_last(linear))


def factor_of(
    node: NodeDef, operand: np.ndarray, channels: int, rank: int, channels_first: bool
) -> Optional[np.ndarray]:
    """The constant of a Mul or RealDiv as a factor for each channel, see :func:`per_channel`; None where it is none."""
    value = per_channel(operand, channels, rank, channels_first)
    found = None if value is None else map_of(node.op, value)
    return None if found is None else found[0]


def refuse_factor(node: NodeDef, found: Match) -> str:
    """Why factor_behind gives none; empty where it gives one."""
    linear = found.nodes["linear"]
    if output_channels(linear, found.values["weights"]) is None:
        return "'%s' is not float32" % linear.name
    if factor_behind(node, found) is None:
        return "'%s' is no operation of a constant for each channel of '%s'" % (node.name, linear.name)
    return ""
