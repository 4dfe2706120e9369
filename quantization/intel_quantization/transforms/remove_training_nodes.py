"""Remove nodes that only matter in training or debugging and pass their input through.

``Identity(x) == x``, and so for StopGradient, PreventGradient, Snapshot and, on finite values, CheckNumerics.
"""

from __future__ import annotations

from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.linear import roots

_PASS_THROUGH = frozenset(["Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics"])
# An Identity behind these marks a branch or a loop: nodes wait for it to know that they are on.
_CONTROL_FLOW = frozenset([*SWITCH, *MERGE, *ENTER, *EXIT, *NEXT_ITERATION, "LoopCond"])


def remove_training_nodes(graph: Graph) -> int:
    """Bypass the nodes that pass their input through; returns how many went."""
    count = 0
    for node in roots(graph, tuple(_PASS_THROUGH)):
        if _is_removable(graph, node):
            graph.bypass(node.name)
            count += 1
    return count


def _is_removable(graph: Graph, node: NodeDef) -> bool:
    if graph.is_output(node.name) or not node.input or tensors.is_control(node.input[0]):
        return False
    source = graph.producer(node.input[0])
    if source.op in _CONTROL_FLOW:
        return False
    if graph.control_inputs(node) and source.op == "Const":
        return False  # folding makes one constant of both, and leaves no waiting to their reader
    # a control edge may carry "this branch is taken"; keep the node that carries it
    if graph.control_inputs(node) and any(
        tensors.is_control(name) for consumer in graph.consumers(node.name) for name in consumer.input
    ):
        return False
    return True
