"""Which loops and branches (of TensorFlow 1, in the graph itself) a node runs in."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Tuple

from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef

FUNCTIONAL = ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase")
"""Loops and branches of TensorFlow 2, whose bodies are functions."""

# (number of loops around, name of a loop, -1) or (number of loops around, condition of a Switch, its output)
_Condition = Tuple[int, str, int]
Context = FrozenSet[_Condition]
_LOOP = -1
_EVERYWHERE: Context = frozenset()


def contexts(graph: Graph) -> Dict[str, Context]:
    """For each node the loops it runs in, and the conditions under which it runs.

    Nodes with equal contexts run together, as often as each other. Takes linear time.
    """
    known: Dict[str, Context] = {}
    for node in graph.topological():
        # of the edge that closes a loop nothing is known yet, nor is it needed
        inputs = [name for name in node.input if tensors.node_of(name) in known]
        around = [context_of(graph, known, name) for name in inputs]
        if node.op in MERGE and not _begins_loop(graph, node):
            data = [context for name, context in zip(inputs, around) if not tensors.is_control(name)]
            control = [context for name, context in zip(inputs, around) if tensors.is_control(name)]
            known[node.name] = _unite([data[0].intersection(*data[1:])] + control)
        else:
            known[node.name] = _pass_through(node, _unite(around))
    return known


def context_of(graph: Graph, known: Dict[str, Context], tensor: str) -> Context:
    """The context of a tensor, or of a control input; that of its node, but for what leaves a Switch.

    Args:
        graph: the graph.
        known: what :func:`contexts` gave.
        tensor: its name.
    """
    node = graph.producer(tensor)
    context = known[node.name]
    if node.op in SWITCH and not tensors.is_control(tensor):
        return context | {(_measure_depth(context), _find_condition(graph, node), tensors.split(tensor)[1])}
    return context


def _pass_through(node: NodeDef, context: Context) -> Context:
    if node.op in ENTER:
        return context | {(_measure_depth(context) + 1, node.attr["frame_name"].s.decode(), _LOOP)}
    if node.op in EXIT:
        depth = _measure_depth(context)
        return frozenset(item for item in context if item[0] < depth)
    return context


def _measure_depth(context: Context) -> int:
    return max((depth for depth, _, side in context if side == _LOOP), default=0)


def _find_condition(graph: Graph, switch: NodeDef) -> str:
    """The tensor that a Switch obeys; tf.cond has several aliases of it."""
    name = tensors.canonical(switch.input[1])
    while graph.producer(name).op == "Identity":
        name = tensors.canonical(graph.producer(name).input[0])
    return name


def _unite(parts: List[Context]) -> Context:
    """Mostly one of the parts, so that a large graph has few contexts."""
    largest = max(parts, key=len, default=_EVERYWHERE)
    return largest if all(part <= largest for part in parts) else largest.union(*parts)


def _begins_loop(graph: Graph, merge: NodeDef) -> bool:
    return any(graph.producer(name).op in (*ENTER, *NEXT_ITERATION) for name in merge.input)
