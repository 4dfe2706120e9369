"""Whether a graph is frozen: nothing that its outputs need holds its value outside the graph."""

from __future__ import annotations

from typing import Iterable

from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors

VARIABLES = frozenset(["Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable", "TemporaryVariable"])
"""The ops that hold a variable."""
_TABLES = frozenset(
    ["HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "MutableDenseHashTableV2"]
    + ["MutableHashTableOfTensorsV2"]
)


def check_frozen(graph_def: graph_pb2.GraphDef, inputs: Iterable[str], outputs: Iterable[str], name: str) -> None:
    """Refuse a graph whose outputs depend on variables or tables; leftovers of training may stay.

    Args:
        graph_def: the graph.
        inputs: names of nodes or tensors that are fed; what is before them does not count.
        outputs: names of nodes or tensors.
        name: the graph's name in the error.

    Raises:
        BadInputError: one does.
    """
    nodes = {node.name: node for node in graph_def.node}
    seen = {tensors.node_of(fed) for fed in inputs}
    stack = [tensors.node_of(output) for output in outputs]
    while stack:
        node = nodes.get(stack.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op in VARIABLES:
            raise BadInputError(
                "%s is not frozen: node '%s' is a %s" % (name, node.name, node.op),
                "freeze it first, so that variables become Const nodes, or give the SavedModel folder",
            )
        if node.op in _TABLES:
            raise BadInputError(
                "%s cannot be frozen: node '%s' is a %s, filled outside the graph" % (name, node.name, node.op),
                "name outputs that do not depend on it with --outputs",
            )
        stack.extend(tensors.node_of(item) for item in node.input)
