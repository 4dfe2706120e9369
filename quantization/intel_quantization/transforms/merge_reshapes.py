"""Let a Reshape read what a Reshape, Squeeze or ExpandDims before it reads.

``Reshape(Reshape(x, a), b) == Reshape(x, b)``: the order of the elements does not change, and their number tells
a dimension of -1. Condition: all in the same loops and branches. What something else reads, too, stays for that.
"""

from __future__ import annotations

from intel_quantization.graph.control_flow import context_of, contexts
from intel_quantization.graph.graph import Graph

_SHAPE_ONLY = ("Reshape", "Squeeze", "ExpandDims")


def merge_reshapes(graph: Graph) -> int:
    """Bypass every op that only changes a shape ahead of a Reshape; returns how many."""
    if not any(node.op == "Reshape" for node in graph.nodes.values()):
        return 0
    count = 0
    known = contexts(graph)
    for node in [node for node in graph.topological() if node.op == "Reshape"]:
        source = graph.producer(node.input[0])
        while source.op in _SHAPE_ONLY and not graph.control_inputs(source):
            x = graph.data_inputs(source)[0]
            if known[source.name] != context_of(graph, known, x):
                break
            graph.set_input(node, 0, x)
            graph.sweep([source.name])
            source = graph.producer(node.input[0])
            count += 1
    return count
