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

from typing import Optional

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.linear import roots
from intel_quantization.transforms.support.random_values import is_unit_random, scalar
from intel_quantization.transforms.support.take_place import take_place


def remove_dropout(graph: Graph) -> int:
    """Remove every such dropout; returns how many."""
    count = 0
    for node in roots(graph, ("Mul", "Select", "SelectV2")):
        kept = _kept(graph, node)
        if kept is not None:
            take_place(graph, node, _unscaled(graph, kept))
            count += 1
    return count


def _kept(graph: Graph, node: NodeDef) -> Optional[str]:
    """What a node passes through, if it is a dropout that keeps everything."""
    inputs = graph.data_inputs(node)
    if node.op != "Mul":
        return inputs[1] if _is_always(graph, inputs[0]) else None
    for place in (0, 1):
        if _is_ones(graph, inputs[1 - place]):
            return inputs[place]
    return None


def _is_ones(graph: Graph, tensor: str) -> bool:
    node = graph.producer(tensor)
    if node.op == "Cast":
        return _is_always(graph, graph.data_inputs(node)[0])
    if node.op != "Floor":
        return False
    total = graph.producer(graph.data_inputs(node)[0])
    if total.op not in ("Add", "AddV2"):
        return False
    first, second = graph.data_inputs(total)
    return any(
        scalar(graph, keep) == 1.0 and is_unit_random(graph, drawn)
        for keep, drawn in ((first, second), (second, first))
    )


def _is_always(graph: Graph, tensor: str) -> bool:
    node = graph.producer(tensor)
    if node.op != "GreaterEqual":
        return False
    drawn, rate = graph.data_inputs(node)
    return scalar(graph, rate) == 0.0 and is_unit_random(graph, drawn)


def _unscaled(graph: Graph, tensor: str) -> str:
    node = graph.producer(tensor)
    inputs = graph.data_inputs(node)
    if node.op in ("RealDiv", "Mul") and scalar(graph, inputs[1]) == 1.0 and not graph.control_inputs(node):
        value = graph.constant(inputs[1])
        if value is not None and value.ndim == 0:  # it cannot widen what it multiplies
            return inputs[0]
    return tensor
