"""Remove nodes that only matter in training or debugging and pass their input through.

``Identity(x) == x``, and so for StopGradient, PreventGradient, Snapshot, Print, a Cast to the same type and, on
finite values, CheckNumerics. IdentityN is several of them.
"""

from __future__ import annotations

from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Match, Op
from intel_quantization.transforms.rule import Rule, Rules

_PASS_THROUGH = (
    *("Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "CheckNumericsV2", "Print", "Cast"),
)
# An Identity behind these marks a branch or a loop: nodes wait for it to know that they are on.
_CONTROL_FLOW = frozenset([*SWITCH, *MERGE, *ENTER, *EXIT, *NEXT_ITERATION, "LoopCond"])


def _concerns(_graph: Graph, node: NodeDef) -> bool:
    if node.op == "Cast" and node.attr["SrcT"].type != node.attr["DstT"].type:
        return False
    return bool(node.input) and not tensors.is_control(node.input[0])


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> str:
    if graph.is_output(node.name):
        return "'%s' is an output" % node.name
    if any(graph.producer(name).op in _CONTROL_FLOW for name in graph.data_inputs(node)):
        return "'%s' marks a branch or a loop" % node.name
    if not graph.control_inputs(node):
        return ""
    if graph.producer(node.input[0]).op == "Const":
        # folding makes one constant of both, and leaves no waiting to their reader
        return "'%s' waits for other nodes, and is a constant" % node.name
    if any(consumer.op in MERGE for consumer in graph.consumers(node.name)):
        # a Merge would then wait for what runs in one branch only
        return "'%s' waits for other nodes ahead of a Merge" % node.name
    # a control edge may carry "this branch is taken"; keep the node that carries it
    return "'%s' waits for other nodes, and others for it" % node.name if _is_waited_for(graph, node) else ""


def _refuse_several(graph: Graph, node: NodeDef, found: Match) -> str:
    reason = _refuse(graph, node, found)
    if not reason and _is_waited_for(graph, node):
        return "other nodes wait for '%s'" % node.name
    return reason or ("'%s' waits for other nodes" % node.name if graph.control_inputs(node) else "")


def _is_waited_for(graph: Graph, node: NodeDef) -> bool:
    return any("^" + node.name in consumer.input for consumer in graph.consumers(node.name))


def _bypass(graph: Graph, node: NodeDef, _found: Match) -> None:
    graph.bypass(node.name)


def _bypass_several(graph: Graph, node: NodeDef, _found: Match) -> None:
    for index, source in enumerate(graph.data_inputs(node)):
        graph.redirect("%s:%d" % (node.name, index), source)
    graph.remove(node.name)


remove_training_nodes = Rules(
    "remove_training_nodes",
    Rule((Op("|".join(_PASS_THROUGH)),), rewrite=_bypass, refuse=_refuse, concerns=_concerns),
    Rule((Op("IdentityN"),), rewrite=_bypass_several, refuse=_refuse_several, concerns=_concerns),
)
