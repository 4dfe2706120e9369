"""Which nodes run once each time a graph runs, and which only in a loop or a branch."""

from __future__ import annotations

from typing import Dict, Tuple

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef

_LOOP, _BRANCH = "loop", "branch"
_ENTER, _EXIT = ("Enter", "RefEnter"), ("Exit", "RefExit")
_SWITCH, _MERGE = ("Switch", "RefSwitch"), ("Merge", "RefMerge")

# the loops and branches around a node, outermost first
_Context = Tuple[str, ...]


def control_flow_regions(graph: Graph) -> Dict[str, str]:
    """The nodes of while loops and conditional branches (of TensorFlow 1, in the graph itself).

    Such a node may run many times or not at all, so its tensors cannot be fetched.

    Returns:
        Node name -> "inside a while loop" or "inside a conditional branch".
    """
    contexts: Dict[str, _Context] = {}
    for node in graph.topological():
        # of the edge that closes a loop nothing is known yet, nor is it needed
        around = max((contexts.get(tensors.node_of(name), ()) for name in node.input), key=len, default=())
        contexts[node.name] = _context(graph, node, around)
    return {
        name: "inside a while loop" if _LOOP in context else "inside a conditional branch"
        for name, context in contexts.items()
        if context
    }


def _context(graph: Graph, node: NodeDef, around: _Context) -> _Context:
    if node.op in _ENTER:
        return (*around, _LOOP)
    if node.op in _EXIT:
        while around and around[-1] != _LOOP:
            around = around[:-1]
        return around[:-1]
    if node.op in _SWITCH and graph.producer(node.input[1]).op != "LoopCond":
        return (*around, _BRANCH)
    if node.op in _MERGE and around and around[-1] == _BRANCH and not _begins_loop(graph, node):
        return around[:-1]
    return around


def _begins_loop(graph: Graph, merge: NodeDef) -> bool:
    return any(graph.producer(name).op in (*_ENTER, "NextIteration", "RefNextIteration") for name in merge.input)
