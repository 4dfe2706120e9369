"""What arithmetic with a constant does to each channel: ``y -> y * scale + shift``, and one such map after another."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef

PIECES = ("Mul", "RealDiv", "Div", "Sub", "Add", "AddV2", "BiasAdd", "Neg")
"""The ops that are such a map where one operand is constant."""

Map = Tuple[np.ndarray, np.ndarray]
"""Scale and shift, float64 of shape [channels] each."""


def unchanged(channels: int) -> Map:
    """The map that changes nothing."""
    return np.ones(channels), np.zeros(channels)


def map_of(op: str, operand: np.ndarray, place: int = 0) -> Optional[Map]:
    """The map that one op makes.

    Args:
        op: one of PIECES.
        operand: its constant operand, float64 of shape [channels]; for Neg, which has none, only the shape counts.
        place: which of its inputs is mapped, 0 or 1.

    Returns:
        None where it is no such map: a division of the constant, or one by zero.
    """
    one, zero = unchanged(operand.size)
    if op == "Neg":
        return -one, zero
    if op in ("RealDiv", "Div"):
        return (1.0 / operand, zero) if place == 0 and np.all(operand) else None
    if op == "Mul":
        return operand, zero
    if op == "Sub":
        return (one, -operand) if place == 0 else (-one, operand)
    return one, operand


def chain(first: Map, second: Map) -> Map:
    """One map, and then another."""
    return first[0] * second[0], first[1] * second[0] + second[1]


def has_constant_operand(graph: Graph, node: NodeDef) -> bool:
    """Whether one of the two operands of a node is a constant, and the other is not; that subtracts or divides."""
    known = [graph.constant(name) is not None for name in graph.data_inputs(node)[:2]]
    return known == [False, True] or (known == [True, False] and node.op not in ("Sub", "RealDiv", "Div"))
