"""Drop control inputs that only wait for checks, messages, or what has no effect at all.

A control input orders what has effects. Where nothing that it waits for has any but to stop the run (Assert,
CheckNumerics) or to write a message (Print), the result is the same without; the checks then go with
strip_unused. A control input also says in which loop or branch a node runs: one that its other inputs do not
say as well stays. So do those that wait for an op with another effect, for one that this TensorFlow does not
know, or for a function in which there is one.
"""

from __future__ import annotations

from typing import Set

from intel_quantization.graph import tensors
from intel_quantization.graph.control_flow import Context, context_of, contexts
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.reach import find_downstream
from intel_quantization.transforms.support.effects import Effects


def remove_assertions(graph: Graph) -> int:
    """Drop every such control input; returns how many."""
    if not any(graph.control_inputs(node) for node in graph.nodes.values()):
        return 0
    known = contexts(graph)
    effective = _with_effect(graph)
    count = 0
    for node in graph.nodes.values():
        waits = graph.control_inputs(node)
        if not waits:
            continue
        kept = [name for name in waits if tensors.node_of(name) in effective]
        around: Context = frozenset()
        for name in graph.data_inputs(node) + kept:
            around = around.union(context_of(graph, known, name))
        for name in waits:
            context = context_of(graph, known, name)
            if name not in kept and not context <= around:
                kept.append(name)
                around = around.union(context)
        if len(kept) < len(waits):
            graph.set_inputs(node, graph.data_inputs(node) + kept)
            count += len(waits) - len(kept)
    return count


def _with_effect(graph: Graph) -> Set[str]:
    """The nodes that have an effect, and those that depend on one, through loops, too."""
    effects = Effects(graph)
    return find_downstream(graph, [node.name for node in graph.nodes.values() if effects.of(node)])
