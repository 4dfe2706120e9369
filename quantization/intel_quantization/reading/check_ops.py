"""A graph is a program: refuse one whose outputs need ops that touch files, processes or the network."""

from __future__ import annotations

from typing import Collection, Dict, Iterable, List, Set, Tuple

from tensorflow.core.framework import graph_pb2, node_def_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.graph.function_library import reached
from intel_quantization.ops import registry
from intel_quantization.reading.op_safety import refusal


def check_ops(
    graph_def: graph_pb2.GraphDef,
    inputs: Iterable[str],
    outputs: Iterable[str],
    allowed: Collection[str],
    where: str,
) -> graph_pb2.GraphDef:
    """Refuse ops that do more than compute where the outputs need them, and disarm those that nobody needs.

    TensorFlow may run even what nobody asks for: it evaluates what depends on constants alone to learn shapes.

    Args:
        graph_def: left as it is.
        inputs: names of nodes or tensors that are fed; what is before them is not run.
        outputs: names of nodes or tensors.
        allowed: ops that the user wants to run nevertheless.
        where: the graph's name in the error.

    Returns:
        The graph, where nobody needs such an op, with placeholders in the place of those that there are.

    Raises:
        BadInputError: an output needs one.
    """
    needed = needed_nodes(graph_def, inputs, outputs)
    check_nodes((node for node in graph_def.node if node.name in needed), graph_def, allowed, where)
    return disarmed(graph_def, needed, allowed)


def needed_nodes(graph_def: graph_pb2.GraphDef, inputs: Iterable[str], outputs: Iterable[str]) -> Set[str]:
    """The names of the nodes that run when the outputs are asked for, and the inputs fed."""
    nodes = {node.name: node for node in graph_def.node}
    fed = {tensors.node_of(name) for name in inputs}
    needed: Set[str] = set()
    stack = [name for name in map(tensors.node_of, outputs) if name not in fed]
    while stack:
        name = stack.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            sources = map(tensors.node_of, nodes[name].input)
            stack.extend(source for source in sources if source not in fed)
    return needed


def check_nodes(
    nodes: Iterable[node_def_pb2.NodeDef], graph_def: graph_pb2.GraphDef, allowed: Collection[str], where: str
) -> None:
    """Refuse nodes, and functions that they call, with ops that do more than compute.

    Raises:
        BadInputError: there is one.
    """
    nodes = list(nodes)
    bodies: Dict[str, List[node_def_pb2.NodeDef]] = {"": nodes}
    for name, function in reached(nodes, graph_def.library).items():
        bodies[name] = list(function.node_def)
    functions = {function.signature.name for function in graph_def.library.function}
    for name, body in bodies.items():
        for node in body:
            reason = "" if node.op in allowed or node.op in functions else refusal(node.op, node)
            if reason:
                place = "node '%s'" % node.name + (" of the function '%s'" % name if name else "")
                raise BadInputError(
                    "%s: %s is a %s, which %s" % (where, place, node.op, reason),
                    "name --inputs and --outputs so that it is not between them; or, if you trust the graph, "
                    "--allow_op %s" % node.op,
                )


def disarmed(graph_def: graph_pb2.GraphDef, needed: Set[str], allowed: Collection[str]) -> graph_pb2.GraphDef:
    """The graph with placeholders or NoOps in the place of refused ops that nobody needs; itself without such."""
    armed = [
        number
        for number, node in enumerate(graph_def.node)
        if node.name not in needed and node.op not in allowed and refusal(node.op, node)
    ]
    if not armed:
        return graph_def
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph_def)
    for number in armed:
        node = result.node[number]
        first, more = _count_outputs(node)
        if more:
            continue  # no single placeholder can stand for it; all such ops are stateful, which keeps them from running
        del node.input[:]
        node.attr.clear()
        node.device = ""
        node.op = "Placeholder" if first else "NoOp"
        if first:
            node.attr["dtype"].type = first
            node.attr["shape"].shape.unknown_rank = True
    return result


def _count_outputs(node: node_def_pb2.NodeDef) -> Tuple[int, int]:
    return registry.output_dtype(node, 0), registry.output_dtype(node, 1)
