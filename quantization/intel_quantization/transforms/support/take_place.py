"""Replace a node by a tensor that equals its output 0."""

from __future__ import annotations

from intel_quantization.graph.frames import MERGE
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.waits import waits_of
from intel_quantization.ops import registry


def take_place(graph: Graph, node: NodeDef, source: str) -> None:
    """Let all that reads a node read a tensor of the same value instead; an output keeps its name as an Identity.

    What only the node read goes.

    Args:
        graph: edited in place.
        node: a node of which only output 0 is read.
        source: the tensor, which does not depend on the node.
    """
    inputs = graph.data_inputs(node)
    replaced = [graph.producer(name).name for name in inputs]
    dtype = registry.output_dtype(node)
    # in a loop or a branch a constant that goes may be what kept the node from running too often
    waits = waits_of(graph, [name for name in inputs if graph.constant(name) is not None and name != source])
    waits = list(dict.fromkeys(graph.control_inputs(node) + waits))
    graph.set_inputs(node, [source] + waits)
    # a Merge must not wait for what runs in one branch only
    if graph.is_output(node.name) or (waits and any(reader.op in MERGE for reader in graph.consumers(node.name))):
        node.op = "Identity"
        node.attr.clear()
        node.attr["T"].type = dtype
    else:
        graph.bypass(node.name)
    graph.sweep(replaced)
