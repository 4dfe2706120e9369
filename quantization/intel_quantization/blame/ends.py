"""Where gradients begin: the outputs, or where no gradient passes, what is read there.

Behind the layers of a detector stands what picks boxes out: non-maximum suppression, loops over classes and images. Of
that, nothing has a gradient in a graph that was imported; what it reads has.
"""

from __future__ import annotations

from typing import List, Sequence, Set

from tensorflow.core.framework import graph_pb2

from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, EXIT, MERGE, NEXT_ITERATION, SWITCH
from intel_quantization.graph.graph import Graph

_PARTS = ("NonMaxSuppression", "TensorArray", "Where")
_WHOLE = (*ENTER, *EXIT, *SWITCH, *MERGE, *NEXT_ITERATION, "LoopCond", "While", "StatelessWhile", "If", "StatelessIf")


def gradient_ends(graph_def: graph_pb2.GraphDef, roots: Sequence[str], outputs: Sequence[str]) -> List[str]:
    """Tensors whose gradients with respect to the roots can be had: the outputs where that goes for all of them.

    Args:
        graph_def: with all of these.
        roots: what layers give.
        outputs: of the graph.
    """
    graph = Graph(graph_def, outputs)
    behind = _behind(graph, [tensors.node_of(name) for name in roots])
    barred = _behind(graph, [name for name in behind if _bars(graph.nodes[name].op)])
    if not barred:
        return list(outputs)
    ends = [name for name in outputs if tensors.node_of(name) not in barred]
    clean = behind - barred
    for name in sorted(barred):
        for tensor in graph.data_inputs(graph.nodes[name]):
            if tensors.node_of(tensor) in clean:
                ends.append(tensor)
    return list(dict.fromkeys(ends))


def _behind(graph: Graph, names: Sequence[str]) -> Set[str]:
    """These nodes, and all that depend on them."""
    found = set(names)
    waiting = list(found)
    while waiting:
        for reader in graph.consumers(waiting.pop()):
            if reader.name not in found:
                found.add(reader.name)
                waiting.append(reader.name)
    return found


def _bars(op: str) -> bool:
    return op in _WHOLE or any(part in op for part in _PARTS)
