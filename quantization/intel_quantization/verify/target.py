"""Whether a graph works in all TensorFlow versions that it is made for."""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterator, Sequence, Tuple

from intel_quantization.errors import BadInputError, InvalidGraphError
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.ops.snapshots import Snapshot, type_name

_MOST_NAMED = 10


def check_target(graph: Graph, capabilities: Capabilities) -> None:
    """Check that a target knows the ops and attributes of an FP32 graph, before anything is made of it.

    Args:
        graph: the optimized FP32 graph.
        capabilities: with the target.

    Raises:
        BadInputError: it does not; the ops are named.
    """
    for snapshot in capabilities.snapshots:
        missing = Counter(what for _, what in _find_problems(graph, snapshot))
        if missing:
            named = ["%s (%d nodes)" % item if item[1] > 1 else item[0] for item in sorted(missing.items())]
            more = " and %d more" % (len(named) - _MOST_NAMED) if len(named) > _MOST_NAMED else ""
            raise BadInputError(
                "TensorFlow %s, which --target_tensorflow %s asks for, cannot run this graph even in FP32: it has no %s"
                % (snapshot.version, capabilities.target, ", no ".join(named[:_MOST_NAMED]) + more),
                "choose a newer --target_tensorflow, or name --outputs in front of those nodes",
            )


def verify_target(graph: Graph, capabilities: Capabilities) -> None:
    """Check the finished INT8 graph against every version that it is made for.

    Raises:
        InvalidGraphError: a node does not work in one of them; that is a defect of a pass.
    """
    for snapshot in capabilities.snapshots:
        for node, what in _find_problems(graph, snapshot):
            raise InvalidGraphError(
                "after 'quantize' the graph does not work in TensorFlow %s: '%s' (%s) needs %s, which is not there"
                % (snapshot.version, node.name, node.op, what),
                "please report this with the graph; --intermediate keeps the graph of every stage",
            )


def _find_problems(graph: Graph, snapshot: Snapshot) -> Iterator[Tuple[NodeDef, str]]:
    """(node, what the version does not have), for at most one thing a node."""
    functions = {function.signature.name for function in graph.library.function}
    bodies = [node for function in graph.library.function for node in function.node_def]
    answers: Dict[Tuple[str, Tuple[Tuple[str, int], ...]], bool] = {}
    for nodes in (graph.nodes.values(), bodies):
        for node in nodes:
            if node.op in functions:
                continue
            if node.op not in snapshot.ops:
                yield node, node.op
                continue
            unknown = sorted(name for name in node.attr if name[0] != "_" and not snapshot.has_attr(node.op, name))
            if unknown:
                yield node, "attribute %s of %s" % (unknown[0], node.op)
                continue
            types = _list_types(node)
            key = (node.op, types)
            if key not in answers:
                answers[key] = not snapshot.knows_kernels(node.op) or snapshot.has_kernel(node.op, **dict(types))
            if not answers[key]:
                yield node, "kernel of %s for %s" % (node.op, _tell_types(types))


def _list_types(node: NodeDef) -> Tuple[Tuple[str, int], ...]:
    """The type attributes of a node, with those that are left at their default."""
    definition = registry.op_def(node.op)
    types = {}
    for attr in definition.attr if definition is not None else ():
        if attr.type == "type":
            number = node.attr[attr.name].type if attr.name in node.attr else attr.default_value.type
            if number:
                types[attr.name] = number
    return tuple(sorted(types.items()))


def _tell_types(types: Sequence[Tuple[str, int]]) -> str:
    return ", ".join("%s %s" % (name, type_name(number)) for name, number in types)
