"""Make one Transpose of two, and bypass one that changes nothing.

``Transpose(Transpose(x, p), q) == Transpose(x, p[q])``, and ``Transpose(x, [0, 1, …]) == x``. Conditions: constant
permutations, and all in the same loops and branches. A Transpose that something else reads, too, stays for that.
"""

from __future__ import annotations

from typing import Dict, Optional

import numpy as np

from intel_quantization.graph.control_flow import Context, context_of, contexts
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.take_place import take_place


def merge_transposes(graph: Graph) -> int:
    """Merge every pair and bypass what changes nothing; returns how many nodes that changed."""
    if not any(node.op == "Transpose" for node in graph.nodes.values()):
        return 0
    count = 0
    known = contexts(graph)
    order = [node for node in graph.topological() if node.op == "Transpose"]
    for node in order:
        if node.name in graph and known[node.name] == _context_of_source(graph, known, node):
            count += _merge(graph, node) or _bypass(graph, node)
    return count


def _context_of_source(graph: Graph, known: Dict[str, Context], node: NodeDef) -> Context:
    """The loops and branches of what a node transposes, or of what the Transpose before it does."""
    source = graph.data_inputs(node)[0]
    first = graph.producer(source)
    return context_of(graph, known, graph.data_inputs(first)[0] if first.op == "Transpose" else source)


def _merge(graph: Graph, node: NodeDef) -> bool:
    source, operand = graph.data_inputs(node)
    first = graph.producer(source)
    outer = graph.constant(operand)
    inner = graph.constant(graph.data_inputs(first)[1]) if first.op == "Transpose" else None
    if inner is None or outer is None or inner.shape != outer.shape or graph.control_inputs(first):
        return False
    x = graph.data_inputs(first)[0]
    if np.array_equal(inner[outer], np.arange(inner.size)):
        take_place(graph, node, x)
        return True
    permutation = graph.add_constant(node.name + "/merged", inner[outer], beside=x)
    graph.set_inputs(node, [x, permutation] + graph.control_inputs(node))
    graph.sweep([first.name, graph.producer(operand).name])
    return True


def _bypass(graph: Graph, node: NodeDef) -> bool:
    source, operand = graph.data_inputs(node)
    permutation: Optional[np.ndarray] = graph.constant(operand)
    if permutation is None or not np.array_equal(permutation, np.arange(permutation.size)):
        return False
    if graph.is_output(node.name):
        return False
    take_place(graph, node, source)
    return True
