"""Remove attributes that an older TensorFlow does not know, where they say what it does anyway.

TensorFlow writes every attribute of an op into the graph, and refuses a graph with one that it does not
know. An attribute that came later has a default, which is what the op did before.
"""

from __future__ import annotations

from intel_quantization.graph import registry
from intel_quantization.graph.capabilities import Capabilities
from intel_quantization.graph.graph import Graph, NodeDef


def strip_newer_attributes(graph: Graph, capabilities: Capabilities) -> int:
    """Strip what a target does not know from all nodes, also those of functions.

    Args:
        graph: edited in place.
        capabilities: with the target; without one nothing is done.

    Returns:
        How many attributes went.
    """
    if not capabilities.snapshots:
        return 0
    count = 0
    for node in graph.nodes.values():
        count += _strip(node, capabilities)
    for function in graph.library.function:
        for node in function.node_def:
            count += _strip(node, capabilities)
    return count


def _strip(node: NodeDef, capabilities: Capabilities) -> int:
    definition = registry.op_def(node.op)
    if definition is None:
        return 0
    defaults = {attr.name: attr.default_value for attr in definition.attr if attr.HasField("default_value")}
    newer = [
        name
        for name, value in node.attr.items()
        if name in defaults and value == defaults[name] and not capabilities.has_attr(node.op, name)
    ]
    for name in newer:
        del node.attr[name]
    return len(newer)
