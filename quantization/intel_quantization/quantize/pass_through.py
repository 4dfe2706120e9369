"""Find the nodes that may pass INT8 values on; what is known of their ops is in :mod:`intel_quantization.kinds`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.pass_through_kind import NodeCase
from intel_quantization.kinds.registry import PASS_THROUGH
from intel_quantization.kinds.rules import find_reason
from intel_quantization.quantize.decision import Decision


@dataclass(frozen=True)
class PassThrough:
    """A node that may work on INT8 values.

    Attributes:
        root: its name; its output 0 is the result.
        op: its op in the FP32 graph.
        sources: the float32 tensors that it reads.
    """

    root: str
    op: str
    sources: Tuple[str, ...]


def find_pass_through(
    graph: Graph, excluded_ops: Sequence[str] = (), excluded_nodes: Sequence[str] = ()
) -> Tuple[Tuple[PassThrough, ...], Tuple[Decision, ...]]:
    """Find the nodes that may pass INT8 values on.

    Args:
        graph: the optimized FP32 graph.
        excluded_ops: op names that stay FP32.
        excluded_nodes: nodes that stay FP32.

    Returns:
        The nodes in the order of the data, and a decision with its reason for each float32 pool and
        concatenation that is none.
    """
    found: List[PassThrough] = []
    refused: List[Decision] = []
    for node in graph.topological():
        if node.op not in PASS_THROUGH or attribute(node, "T").type != DT_FLOAT:
            continue
        kind = PASS_THROUGH[node.op]
        if node.op in excluded_ops:
            reason = "op excluded by the user"
        elif node.name in excluded_nodes:
            reason = "node excluded by the user"
        else:
            reason = find_reason(kind.refusals, NodeCase(graph, node))
        if not reason:
            found.append(PassThrough(node.name, node.op, kind.sources(graph.data_inputs(node))))
        elif kind.told:
            refused.append(Decision(node.name, node.op, False, reason))
    return tuple(found), tuple(refused)
