"""Where a graph ends as far as it is differentiable: logits, boxes, maps and embeddings, ahead of what picks from them.

Behind these tensors come softmax and sigmoid, which flatten what a gradient would measure, and what has no gradient at
all, as the selection of boxes.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Sequence, Set

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef

_SQUASHING = frozenset({"Softmax", "LogSoftmax", "Sigmoid"})
"""Ops that map scores to probabilities: what counts is their order."""
_REARRANGING = frozenset({"Identity", "Reshape", "Squeeze", "ExpandDims", "ConcatV2", "Pack", "Transpose"})
_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})
# What they pick jumps, or they run other graphs.
CONTROL_FLOW = frozenset(
    ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "While", "StatelessWhile", "If", "StatelessIf")
    + ("Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall")
)
"""Ops that run other graphs, or parts of theirs as often as they like."""
_PICKING = CONTROL_FLOW | {"TopK", "TopKV2", "PyFunc", "EagerPyFunc"}


def find_smooth(graph: Graph, sources: Sequence[str], has_gradient: Callable[[NodeDef], bool]) -> Set[str]:
    """The nodes that some tensors lead to by differentiable ops alone, with those that make these tensors.

    Args:
        graph: the graph.
        sources: names of the tensors.
        has_gradient: whether TensorFlow can differentiate an op, and it gives float32.
    """
    smooth = {tensors.node_of(name) for name in sources if tensors.node_of(name) in graph.nodes}
    for node in graph.topological():
        if node.name in smooth or node.op in _PICKING or node.op in _SHAPES:
            continue
        if any(tensors.node_of(name) in smooth for name in graph.data_inputs(node)) and has_gradient(node):
            smooth.add(node.name)
    return smooth


def find_ends(graph: Graph, smooth: Set[str]) -> List[str]:
    """The nodes in which the differentiable part of a graph ends.

    Args:
        graph: the graph.
        smooth: the nodes of that part, see :func:`find_smooth`.
    """
    ends: Dict[str, None] = {}
    for name in sorted(smooth):
        readers = [node for node in graph.consumers(name) if _reads(graph, node, name)]
        if graph.is_output(name) or any(node.name not in smooth and node.op not in _SHAPES for node in readers):
            ends.update(dict.fromkeys(_ahead_of_scores(graph, name, smooth)))
    return list(ends)


def _reads(graph: Graph, reader: NodeDef, name: str) -> bool:
    return any(tensors.node_of(each) == name for each in graph.data_inputs(reader))


def _ahead_of_scores(graph: Graph, name: str, smooth: Set[str]) -> List[str]:
    """What a result is made of ahead of softmax, sigmoid and what only rearranges values."""
    found: List[str] = []
    waiting, seen = [name], {name}
    while waiting:
        node = graph.nodes[waiting.pop()]
        inputs = {tensors.node_of(each) for each in graph.data_inputs(node)} & smooth
        if inputs and (node.op in _SQUASHING or node.op in _REARRANGING):
            waiting.extend(sorted(inputs - seen))
            seen |= inputs
        else:
            found.append(node.name)
    return found
