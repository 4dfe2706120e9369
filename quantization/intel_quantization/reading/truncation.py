"""Whether a binary graph looks cut off between two nodes, which leaves a file that parses.

A GraphDef ends with its versions, and a frozen one has no constant that nobody reads: freezing keeps what the outputs
need. Where both are otherwise, the readers are most likely missing, and with them the outputs. Of the places where 13
real graphs can be cut, this finds three of four. Behind an op whose operands are all there, a cut leaves a graph that
is whole in every respect, and only smaller; the missing version alone says nothing, as 4 of those 13 have none either.
"""

from __future__ import annotations

from typing import Dict, Set

from tensorflow.core.framework import graph_pb2, node_def_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors


def check_whole(graph_def: graph_pb2.GraphDef, path: str) -> None:
    """Refuse a graph that looks cut off; for graphs whose outputs nobody has named.

    Raises:
        BadInputError: it does.
    """
    if graph_def.versions.producer or graph_def.library.function:
        return
    nodes = {node.name: node for node in graph_def.node}
    read = {tensors.node_of(name) for node in graph_def.node for name in node.input}
    for node in graph_def.node:
        if node.name not in read and _is_constant(nodes, node):
            raise BadInputError(
                "%s looks cut off behind node '%s': nothing reads '%s', and the graph has no version, with which it "
                "would end" % (path, graph_def.node[-1].name, node.name),
                "copy it again; if it is whole, name its outputs with --outputs",
            )


def _is_constant(nodes: Dict[str, node_def_pb2.NodeDef], node: node_def_pb2.NodeDef) -> bool:
    """Whether a node is a Const, or an Identity of one, as a variable was before freezing."""
    seen: Set[str] = set()
    while node.op == "Identity" and node.input and node.name not in seen:
        seen.add(node.name)
        node = nodes.get(tensors.node_of(node.input[0]), node)
    return node.op == "Const"
