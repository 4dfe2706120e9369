"""Where a graph ends as far as it is differentiable: logits, boxes, maps and embeddings, ahead of what picks from them.

Behind these tensors come softmax and sigmoid, which flatten what a gradient would measure, and what has no gradient at
all: the selection of boxes, loops over classes and images.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Sequence, Set, Tuple

from intel_quantization.graph import tensors
from intel_quantization.graph.control_flow import FUNCTIONAL, contexts
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import SHAPE_OPS
from intel_quantization.graph.reach import find_upstream

_SQUASHING = frozenset({"Softmax", "LogSoftmax", "Sigmoid"})
"""Ops that map scores to probabilities: what counts is their order."""
_REARRANGING = frozenset({"Identity", "Reshape", "Squeeze", "ExpandDims", "ConcatV2", "Pack", "Transpose"})
_JUMPING = frozenset(
    (*ENTER, *EXIT, *MERGE, *NEXT_ITERATION, *SWITCH, *FUNCTIONAL, "PartitionedCall", "StatefulPartitionedCall")
    + ("TopK", "TopKV2", "PyFunc", "EagerPyFunc")
)
"""Ops of which some have gradients, but what they pick jumps, or they run as often as values say."""


class SmoothPart(NamedTuple):
    """The differentiable part of a graph.

    Attributes:
        sources: the tensors from which only differentiable ops lead to the ends.
        ends: the nodes in which it ends.
    """

    sources: Tuple[str, ...]
    ends: Tuple[str, ...]


def find_smooth_part(graph: Graph, sources: Sequence[str], has_gradient: Callable[[NodeDef], bool]) -> SmoothPart:
    """Find it; no tensor is a source, and there are no ends, where nothing is differentiable.

    Args:
        graph: the graph.
        sources: names of the tensors from which on it is looked at; those in loops and branches are left out.
        has_gradient: whether TensorFlow can differentiate what a node makes.
    """
    around = contexts(graph)
    begins = {name: tensors.node_of(name) for name in sources if not around[tensors.node_of(name)]}
    smooth, jumping = _follow(graph, set(begins.values()), has_gradient)
    ends = _find_ends(graph, smooth)
    ahead_of_jumps = find_upstream(graph, jumping & find_upstream(graph, ends))
    kept = tuple(name for name, node in begins.items() if node not in ahead_of_jumps)
    return SmoothPart(kept, tuple(ends) if kept else ())


def _follow(graph: Graph, sources: Set[str], has_gradient: Callable[[NodeDef], bool]) -> Tuple[Set[str], Set[str]]:
    """The nodes that depend on the sources' values by differentiable ops alone, and those that do by others."""
    smooth: Set[str] = set()
    jumping: Set[str] = set()
    for node in graph.topological():
        inputs = {tensors.node_of(name) for name in graph.data_inputs(node)} & (smooth | jumping)
        if node.name in sources:
            smooth.add(node.name)
        elif inputs and node.op not in SHAPE_OPS:
            differentiable = inputs <= smooth and node.op not in _JUMPING and has_gradient(node)
            (smooth if differentiable else jumping).add(node.name)
    return smooth, jumping


def _find_ends(graph: Graph, smooth: Set[str]) -> List[str]:
    ends: Dict[str, None] = {}
    for name in sorted(smooth):
        readers = [node for node in graph.consumers(name) if _reads(graph, node, name)]
        if graph.is_output(name) or any(node.name not in smooth and node.op not in SHAPE_OPS for node in readers):
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
