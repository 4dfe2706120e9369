"""Replace what depends on constants only by its value, as TensorFlow computes it."""

from __future__ import annotations

from typing import Dict, List

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from intel_quantization.graph import registry, tensors
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.session import run_graph

# Fill, Tile and the like may blow a small constant up to any size.
_LARGEST = 16 * 1024 * 1024
# The default of a placeholder may be overridden by a feed.
_NEVER = ("PlaceholderWithDefault", "Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond")


def fold_constants(graph: Graph) -> int:
    """Evaluate the constant part of a graph and keep its results; returns how many nodes became Const."""
    foldable: Dict[str, NodeDef] = {}
    for node in graph.topological():
        if _is_foldable(graph, node, foldable):
            foldable[node.name] = node
    frontier = [name for name in foldable if _is_read_outside(graph, name, foldable)]
    if not frontier:
        return 0
    try:
        values = run_graph(_subgraph(graph, foldable), {}, [name + ":0" for name in frontier])
    except tf.errors.OpError:
        return 0  # it need not matter: what cannot be computed may stand in a branch that is never taken
    count = 0
    for name, value in zip(frontier, values):
        if value.nbytes > _LARGEST:
            continue
        node = graph.nodes[name]
        graph.set_inputs(node, [])
        node.op = "Const"
        node.attr.clear()
        proto = tf.compat.v1.make_tensor_proto(value)
        node.attr["dtype"].type = proto.dtype
        node.attr["value"].tensor.CopyFrom(proto)
        count += 1
    return count


def _is_foldable(graph: Graph, node: NodeDef, foldable: Dict[str, NodeDef]) -> bool:
    if node.op == "Const" or not node.input or graph.is_output(node.name):
        return False
    definition = registry.op_def(node.op)
    if definition is None or definition.is_stateful or len(definition.output_arg) != 1:
        return False
    if definition.output_arg[0].number_attr or definition.output_arg[0].type_list_attr:
        return False
    if node.op in _NEVER:
        return False
    for name in node.input:
        if tensors.is_control(name):
            return False
        source = graph.producer(name)
        if source.name in foldable:
            continue
        if source.op != "Const" or source.input:
            return False
    return registry.output_dtype(node) not in (0, tf.resource.as_datatype_enum, tf.variant.as_datatype_enum)


def _is_read_outside(graph: Graph, name: str, foldable: Dict[str, NodeDef]) -> bool:
    return any(consumer.name not in foldable for consumer in graph.consumers(name))


def _subgraph(graph: Graph, foldable: Dict[str, NodeDef]) -> graph_pb2.GraphDef:
    result = graph_pb2.GraphDef()
    added: List[str] = []
    seen = set()
    for node in foldable.values():
        added.extend(tensors.node_of(name) for name in node.input)
        added.append(node.name)
    for name in added:
        if name not in seen:
            seen.add(name)
            result.node.add().CopyFrom(graph.nodes[name])
            result.node[-1].device = ""
    return result
