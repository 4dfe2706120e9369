"""Which nodes change anything outside of their outputs when they run."""

from __future__ import annotations

from typing import Dict

from intel_quantization.graph.function_library import functions_of
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry

# TensorFlow calls these stateful, but nothing depends on whether they run.
_HARMLESS = frozenset(
    ["Assert", "CheckNumerics", "CheckNumericsV2", "Print", "PrintV2", "RandomUniform", "RandomUniformInt"]
    + ["RandomStandardNormal", "TruncatedNormal", "RandomShuffle", "Multinomial", "ParameterizedTruncatedNormal"]
)


class Effects:
    """Tells which nodes of a graph have effects.

    Args:
        graph: its functions are looked into, each once.
    """

    def __init__(self, graph: Graph) -> None:
        self._functions = {item.signature.name: item for item in graph.library.function}
        self._known: Dict[str, bool] = {}

    def of(self, node: NodeDef) -> bool:
        """Whether a node has an effect; one that is unknown here, or calls what is not there, counts as such."""
        if node.op in _HARMLESS or node.op.startswith("TensorArray"):  # seen through its flow only
            return False
        called = list(functions_of(node))
        if node.op in self._functions:
            called.append(node.op)
        definition = registry.op_def(node.op)
        if called:
            return any(self._in_function(name) for name in called)
        return definition is None or definition.is_stateful

    def _in_function(self, name: str) -> bool:
        if name not in self._functions:
            return True
        if name not in self._known:
            self._known[name] = False  # of a call of itself nothing new is to be learnt
            self._known[name] = any(self.of(node) for node in self._functions[name].node_def)
        return self._known[name]
