"""Remove nodes that only matter in training or debugging and pass their input through.

``Identity(x) == x``, and so for StopGradient, PreventGradient, Snapshot, Print, a Cast to the same type and, on
finite values, CheckNumerics. IdentityN is several of them.
"""

from __future__ import annotations

from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.support.linear import roots

_PASS_THROUGH = frozenset(
    ["Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "CheckNumericsV2", "Print", "Cast"]
)
# An Identity behind these marks a branch or a loop: nodes wait for it to know that they are on.
_CONTROL_FLOW = frozenset([*SWITCH, *MERGE, *ENTER, *EXIT, *NEXT_ITERATION, "LoopCond"])


def remove_training_nodes(graph: Graph) -> int:
    """Bypass the nodes that pass their input through; returns how many went."""
    count = 0
    for node in roots(graph, tuple(_PASS_THROUGH)):
        if _is_removable(graph, node):
            graph.bypass(node.name)
            count += 1
    for node in roots(graph, ("IdentityN",)):
        if _is_removable(graph, node) and not _is_waited_for(graph, node) and not graph.control_inputs(node):
            for index, source in enumerate(graph.data_inputs(node)):
                graph.redirect("%s:%d" % (node.name, index), source)
            graph.remove(node.name)
            count += 1
    return count


def _is_removable(graph: Graph, node: NodeDef) -> bool:
    if graph.is_output(node.name) or not node.input or tensors.is_control(node.input[0]):
        return False
    if node.op == "Cast" and node.attr["SrcT"].type != node.attr["DstT"].type:
        return False
    if any(graph.producer(name).op in _CONTROL_FLOW for name in graph.data_inputs(node)):
        return False
    if graph.control_inputs(node) and graph.producer(node.input[0]).op == "Const":
        return False  # folding makes one constant of both, and leaves no waiting to their reader
    if graph.control_inputs(node) and any(consumer.op in MERGE for consumer in graph.consumers(node.name)):
        return False  # a Merge would then wait for what runs in one branch only
    # a control edge may carry "this branch is taken"; keep the node that carries it
    return not (graph.control_inputs(node) and _is_waited_for(graph, node))


def _is_waited_for(graph: Graph, node: NodeDef) -> bool:
    return any("^" + node.name in consumer.input for consumer in graph.consumers(node.name))
