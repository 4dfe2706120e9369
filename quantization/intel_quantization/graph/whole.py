"""What must hold of all nodes of a graph together: inputs that exist, an order, places that exist."""

from __future__ import annotations

from typing import Container, Dict, List, Mapping

from tensorflow.core.framework.node_def_pb2 import NodeDef

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.graph.frames import NEXT_ITERATION


def check_inputs(node: NodeDef, names: Container[str]) -> None:
    """See that a node reads what is there, control inputs last.

    Raises:
        BadInputError: an input names no node, or is spelt wrong.
    """
    control = False
    for name in node.input:
        problem = ""
        if tensors.node_of(name) not in names:
            problem = "which is not in the graph"
        elif not tensors.is_control(name) and not tensors.is_well_formed(name):
            problem = "which is no tensor name"
        elif control and not tensors.is_control(name):
            problem = "behind a control input"
        if problem:
            raise BadInputError("node '%s' has the input '%s', %s" % (node.name, name, problem))
        control = tensors.is_control(name)


def order_nodes(nodes: Mapping[str, NodeDef], consumers: Mapping[str, Mapping[str, int]]) -> List[NodeDef]:
    """The nodes, producers first; the order is a function of the graph alone. Loops are cut at NextIteration.

    Args:
        nodes: by name.
        consumers: of each node, by name, with the number of edges.

    Raises:
        BadInputError: there is a cycle that is no loop.
    """
    waiting: Dict[str, int] = {}
    ready: List[NodeDef] = []
    for node in nodes.values():
        sources = {tensors.node_of(name) for name in node.input}
        waiting[node.name] = sum(1 for source in sources if nodes[source].op not in NEXT_ITERATION)
        if not waiting[node.name]:
            ready.append(node)
    order: List[NodeDef] = []
    position = 0
    while position < len(ready):
        node = ready[position]
        position += 1
        order.append(node)
        if node.op in NEXT_ITERATION:
            continue
        for name in consumers.get(node.name, {}):
            waiting[name] -= 1
            if not waiting[name]:
                ready.append(nodes[name])
    if len(order) != len(nodes):
        stuck = next(name for name, count in waiting.items() if count)
        raise BadInputError("the graph has a cycle through node '%s'" % stuck)
    return order


def drop_dangling_colocation(node: NodeDef, names: Container[str]) -> None:
    """Forget that a node is to be where a node is that does not exist: TensorFlow refuses such a graph."""
    if "_class" not in node.attr:
        return
    kept = [name for name in node.attr["_class"].list.s if _is_known(name.decode(), names)]
    del node.attr["_class"].list.s[:]
    node.attr["_class"].list.s.extend(kept)
    if not kept:
        del node.attr["_class"]


def _is_known(place: str, names: Container[str]) -> bool:
    return not place.startswith("loc:@") or place[len("loc:@") :] in names
