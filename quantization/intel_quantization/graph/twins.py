"""Nodes that compute the same: TensorFlow's Grappler makes one of them when the graph runs.

A tensor that one node reads here may so have several readers there. An op that writes its result into the memory of
what it reads then finds that in use, and TensorFlow ends (a null pointer in oneDNN's convolutions with a Sum).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Dict, Tuple

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef

_PASSING = ("Identity", "StopGradient")


class Twins:
    """Tells which nodes of a graph have twins; more rather than less are taken for such.

    Neither control dependencies, devices nor the order of inputs count, which Grappler can change.

    Args:
        graph: as it is now.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._kinds: Dict[str, str] = {}  # of each tensor's node: what it computes
        for node in graph.topological():
            self._kinds[node.name] = self._describe_kind(node)
        self._count = Counter(kind for name, kind in self._kinds.items() if graph.nodes[name].op not in _PASSING)

    def has(self, name: str) -> bool:
        """Whether another node computes what a node computes."""
        return self._count[self._kinds[name]] > 1

    def _describe_kind(self, node: NodeDef) -> str:
        inputs = self._graph.data_inputs(node)
        if not inputs and node.op != "Const":
            return "node " + node.name
        if node.op in _PASSING:
            return self._read(inputs[0])[0]
        digest = hashlib.sha1(node.op.encode())
        for read in sorted(self._read(name) for name in inputs):
            digest.update(("%s:%d\n" % read).encode("utf-8", "surrogateescape"))
        for key in sorted(key for key in node.attr if not key.startswith("_")):
            digest.update(key.encode() + b"=" + node.attr[key].SerializeToString(deterministic=True) + b"\n")
        return digest.hexdigest()

    def _read(self, tensor: str) -> Tuple[str, int]:
        name, output = tensors.split(tensor)
        # what comes from the round before of a loop is not known yet
        return self._kinds.get(name, "node " + name), output
