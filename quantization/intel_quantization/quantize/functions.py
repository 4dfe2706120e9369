"""Linear ops, pools and concatenations in function bodies, which stay FP32.

TensorFlow 2 keeps the bodies of While, If, PartitionedCall and the like as functions in the graph's library.
"""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Set, Tuple

from tensorflow.core.framework.node_def_pb2 import NodeDef

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.registry import LINEAR, TOLD
from intel_quantization.quantize.decision import Decision
from intel_quantization.transforms.inline_functions import inline_functions


def refused_in_functions(graph: Graph) -> Tuple[Decision, ...]:
    """A decision for each such op of the functions that the graph calls, also through other functions.

    Their nodes are named ``function/node``. A function that is called more than once is told once.
    """
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    if not bodies:
        return ()
    decisions: List[Decision] = []
    seen: Set[str] = set()
    told: Dict[str, str] = {}
    for refusal in inline_functions.refusals(graph):
        told.update(dict.fromkeys(_called([graph.nodes[refusal.node]], bodies), refusal.reason))
    waiting = list(_called(graph.nodes.values(), bodies))[::-1]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        reason = "inside function '%s'" % name
        if name in told:
            reason += ", whose body stays there: " + told[name]
        for node in bodies[name]:
            if node.op in LINEAR or (node.op in TOLD and attribute(node, "T").type == DT_FLOAT):
                decisions.append(Decision("%s/%s" % (name, node.name), node.op, False, reason))
        waiting.extend(list(_called(bodies[name], bodies))[::-1])
    return tuple(decisions)


def _called(nodes: Iterable[NodeDef], bodies: Iterable[str]) -> Iterator[str]:
    """The functions that nodes call: named in an attribute, or, as TensorFlow 1 does it, as the op itself."""
    for node in nodes:
        if node.op in bodies:
            yield node.op
        for key in sorted(node.attr):
            value = node.attr[key]
            for function in [value.func, *value.list.func]:
                if function.name in bodies:
                    yield function.name
