"""Remove dropouts that keep everything.

::

    x / 1 * floor(1 + u) == x                       u uniform in [0, 1)
    x * 1 * cast(u >= 0) == x
    where(u >= 0, x * 1, 0) == x

which are the three forms that tf.nn.dropout has written (nn_ops.py: keep_prob, then rate). A keep probability
that is an input has to be made a constant first, see :mod:`fix_training_switches`. One below 1 means that a
training graph was frozen: it stays random.
"""

from __future__ import annotations

from typing import Optional, Tuple

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.random_values import is_unit_random, scalar
from intel_quantization.transforms.support.take_place import take_place


def _concerns(graph: Graph, node: NodeDef) -> bool:
    return _kept(graph, node) is not None


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> str:
    kept = _kept(graph, node)
    if kept is None or not kept[1]:
        return "'%s' drops numbers at random: a training graph was frozen" % node.name
    return ""


def _remove(graph: Graph, node: NodeDef, _found: Match) -> None:
    kept = _kept(graph, node)
    assert kept is not None  # a concern of the rule
    take_place(graph, node, _unscaled(graph, kept[0]))


def _kept(graph: Graph, node: NodeDef) -> Optional[Tuple[str, bool]]:
    """What a dropout passes through, and whether it keeps everything; None for a node that is no dropout."""
    inputs = graph.data_inputs(node)
    if node.op != "Mul":
        always = _is_always(graph, inputs[0])
        return None if always is None else (inputs[1], always)
    found = [(inputs[place], _is_ones(graph, inputs[1 - place])) for place in (0, 1)]
    masked = [(name, ones) for name, ones in found if ones is not None]
    return max(masked, key=lambda item: item[1], default=None)


def _is_ones(graph: Graph, tensor: str) -> Optional[bool]:
    """Whether a mask is all ones; None where it is no mask that a dropout draws."""
    node = graph.producer(tensor)
    if node.op == "Cast":
        return _is_always(graph, graph.data_inputs(node)[0])
    if node.op != "Floor":
        return None
    total = graph.producer(graph.data_inputs(node)[0])
    if total.op not in ("Add", "AddV2"):
        return None
    first, second = graph.data_inputs(total)
    for keep, drawn in ((first, second), (second, first)):
        if scalar(graph, keep) is not None and is_unit_random(graph, drawn):
            return scalar(graph, keep) == 1.0
    return None


def _is_always(graph: Graph, tensor: str) -> Optional[bool]:
    """Whether random numbers reach a rate always; None where nothing of that kind is compared."""
    node = graph.producer(tensor)
    if node.op != "GreaterEqual":
        return None
    drawn, rate = graph.data_inputs(node)
    return scalar(graph, rate) == 0.0 if is_unit_random(graph, drawn) else None


def _unscaled(graph: Graph, tensor: str) -> str:
    node = graph.producer(tensor)
    inputs = graph.data_inputs(node)
    if node.op in ("RealDiv", "Mul") and scalar(graph, inputs[1]) == 1.0 and not graph.control_inputs(node):
        value = graph.constant(inputs[1])
        if value is not None and value.ndim == 0:  # it cannot widen what it multiplies
            return inputs[0]
    return tensor


remove_dropout = Rules(
    "remove_dropout",
    Rule(
        tuple(Op(op, inputs=(Any("first"), Any("second"))) for op in ("Mul", "Select", "SelectV2")),
        rewrite=_remove,
        refuse=_refuse,
        concerns=_concerns,
    ),
)
