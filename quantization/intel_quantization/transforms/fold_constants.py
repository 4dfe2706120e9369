"""Replace what depends on constants only by its value, as TensorFlow computes it."""

from __future__ import annotations

from typing import Dict, List

import tensorflow as tf

from intel_quantization.graph import tensors
from intel_quantization.graph.constants import constant_chain
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.waits import waits_of
from intel_quantization.ops import registry
from intel_quantization.transforms.support.constant_evaluation import evaluate
from intel_quantization.transforms.support.foldable_ops import FOLDABLE

# Fill, Tile and the like may blow a small constant up to any size.
_LARGEST = 16 * 1024 * 1024


def fold_constants(graph: Graph) -> int:
    """Evaluate the constant part of a graph and keep its results; returns how many nodes became Const.

    In a loop or a branch a result goes on waiting for what its parts waited for.
    """
    if not any(_is_foldable(graph, node, {}) for node in graph.nodes.values()):
        return 0
    foldable: Dict[str, NodeDef] = {}
    for node in graph.topological():
        if _is_foldable(graph, node, foldable):
            foldable[node.name] = node
    frontier = [name for name in foldable if _is_read_outside(graph, name, foldable)]
    if not frontier:
        return 0
    values = evaluate(graph, foldable, frontier)
    waits = _waits(graph, foldable) if values else {}
    count = 0
    for name, value in values.items():
        if value.nbytes > _LARGEST:
            continue
        node = graph.nodes[name]
        graph.set_inputs(node, waits[name])
        node.op = "Const"
        node.attr.clear()
        proto = tf.compat.v1.make_tensor_proto(value)
        node.attr["dtype"].type = proto.dtype
        node.attr["value"].tensor.CopyFrom(proto)
        count += 1
    return count


def _is_foldable(graph: Graph, node: NodeDef, foldable: Dict[str, NodeDef]) -> bool:
    inputs = graph.data_inputs(node)
    if node.op == "Const" or not inputs or graph.is_output(node.name):
        return False
    if node.op not in FOLDABLE or registry.op_def(node.op) is None:
        return False
    for name in inputs:
        if tensors.node_of(name) in foldable:
            continue
        chain = constant_chain(graph.nodes, name)
        # an Identity of what comes in through Enter or Switch is as good as a constant, and no second copy
        if not chain or (node.op == "Identity" and len(chain) > 1):
            return False
    return registry.output_dtype(node) not in (0, tf.resource.as_datatype_enum, tf.variant.as_datatype_enum)


def _is_read_outside(graph: Graph, name: str, foldable: Dict[str, NodeDef]) -> bool:
    return any(consumer.name not in foldable for consumer in graph.consumers(name))


def _waits(graph: Graph, foldable: Dict[str, NodeDef]) -> Dict[str, List[str]]:
    """The control inputs of each result."""
    waits: Dict[str, List[str]] = {}
    for node in foldable.values():
        parts = [graph.control_inputs(node)]
        for name in graph.data_inputs(node):
            # a part that is a result itself, or large, is there as often as what it waits for
            parts.append(waits[name] if name in waits else waits_of(graph, [name]))
        found = dict.fromkeys(wait for part in parts for wait in part)
        waits[node.name] = list(found) or _invariants(graph, node)
    return waits


def _invariants(graph: Graph, node: NodeDef) -> List[str]:
    """In a loop: the smallest of the constants of which the node is made, all of them from outside."""
    if not graph.frame(node.name):
        return []
    entered = [name for name in graph.data_inputs(node) if graph.constant(name) is not None]
    smallest = min(entered, key=lambda name: constant_chain(graph.nodes, name)[-1][0].ByteSize())
    return ["^" + tensors.node_of(smallest)]
