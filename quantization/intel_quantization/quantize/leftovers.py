"""What else stays FP32, besides the ops that are decided one by one, and why."""

from __future__ import annotations

from typing import List, Sequence, Set, Tuple, Union

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.registry import PASS_THROUGH
from intel_quantization.quantize.decision import Decision
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.transforms.pipeline import refusals
from intel_quantization.transforms.support.channel_map import PIECES

_NO_WORK = frozenset(
    ["Const", "Placeholder", "PlaceholderWithDefault", "Identity", "Enter", "Exit", "Switch", "Merge", "NextIteration"]
)
_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_ADDS = ("Add", "AddV2")
_FUSED = ("BiasAdd", "Relu", "Relu6")
_PADDED = "it pads an input of few channels, which costs next to nothing in FP32"


def leftovers(
    graph: Graph, items: Sequence[Union[Group, PassThrough]], decisions: Sequence[Decision]
) -> Tuple[Decision, ...]:
    """A decision with its reason for every float32 node that stays, and that has none yet.

    Args:
        graph: the optimized FP32 graph.
        items: what becomes INT8.
        decisions: those that are made already.

    Returns:
        In the order of the graph; without constants, placeholders and what only passes values on.
    """
    done = {decision.node for decision in decisions} | _covered(graph, items)
    padding = {_fused_pad(graph, item) for item in items if isinstance(item, Group) and item.lift_pads}
    told = refusals(graph)
    result: List[Decision] = []
    for node in graph.nodes.values():
        if node.name not in done and node.op not in _NO_WORK and attribute(node, "T").type == DT_FLOAT:
            reason = _PADDED if node.name in padding else _reason(graph, node, told.get(node.name, ""))
            result.append(Decision(node.name, node.op, False, reason))
    return tuple(result)


def _covered(graph: Graph, items: Sequence[Union[Group, PassThrough]]) -> Set[str]:
    """The nodes whose work INT8 ops do."""
    names: Set[str] = set()
    for item in items:
        if isinstance(item, PassThrough):
            names.add(item.root)
            continue
        names.update(item.members)
        if item.pads:
            names.add(_fused_pad(graph, item))
    return names - {""}


def _fused_pad(graph: Graph, group: Group) -> str:
    """The Pad between a group's source and its linear op; empty where the op pads by itself."""
    read = graph.data_inputs(graph.nodes[group.linear])[0]
    return "" if read == group.source else graph.producer(read).name


def _reason(graph: Graph, node: NodeDef, refused: str) -> str:
    """Why a node stays; ``refused``: why it was not folded into another one, where a rule was for it."""
    form = _form(graph, node)
    if not refused:
        return form
    if node.op not in PIECES or node.op in _FUSED:
        return refused
    # what has no constant operand is arithmetic of the network's own, whatever a rule for batch norms says
    has_constant = any(graph.constant(name) is not None for name in graph.data_inputs(node))
    return "%s, and it was not folded: %s" % (form, refused) if has_constant or node.op == "Neg" else form


def _form(graph: Graph, node: NodeDef) -> str:
    """Why a node is not INT8 by itself."""
    if node.op in _NORMS:
        return "no preceding Conv2D or MatMul to fold it into"
    if node.op in _ADDS:
        return "an addition is INT8 only behind a convolution with its bias, and without a ReLU only of INT8 values"
    if node.op in _FUSED:
        return "no preceding INT8 op to fuse it into"
    if node.op in PASS_THROUGH:
        return "it is not between INT8 ops"
    return "%s has no INT8 form" % node.op
