"""Drop control inputs that only wait for checks, messages, or what has no effect at all.

A control input orders what has effects. Where nothing that it waits for has any but to stop the run (Assert,
CheckNumerics) or to write a message (Print), the result is the same without; the checks then go with
strip_unused. A control input also says in which loop or branch a node runs: one that its other inputs do not
say as well stays. So do those that wait for an op with another effect, for one that this TensorFlow does not
know, or for a function in which there is one.
"""

from __future__ import annotations

from typing import Dict, Iterator, Set

from intel_quantization.graph import registry, tensors
from intel_quantization.graph.control_flow import Context, context_of, contexts
from intel_quantization.graph.graph import Graph, NodeDef

# TensorFlow calls these stateful, but nothing depends on whether they run.
_HARMLESS = frozenset(
    ["Assert", "CheckNumerics", "CheckNumericsV2", "Print", "PrintV2", "RandomUniform", "RandomUniformInt"]
    + ["RandomStandardNormal", "TruncatedNormal", "RandomShuffle", "Multinomial", "ParameterizedTruncatedNormal"]
)


def remove_assertions(graph: Graph) -> int:
    """Drop every such control input; returns how many."""
    known = contexts(graph)
    effective = _with_effect(graph)
    count = 0
    for node in graph.nodes.values():
        waits = graph.control_inputs(node)
        if not waits:
            continue
        kept = [name for name in waits if tensors.node_of(name) in effective]
        around: Context = frozenset()
        for name in graph.data_inputs(node) + kept:
            around = around.union(context_of(graph, known, name))
        for name in waits:
            context = context_of(graph, known, name)
            if name not in kept and not context <= around:
                kept.append(name)
                around = around.union(context)
        if len(kept) < len(waits):
            graph.set_inputs(node, graph.data_inputs(node) + kept)
            count += len(waits) - len(kept)
    return count


def _with_effect(graph: Graph) -> Set[str]:
    """The nodes that have an effect, and those that depend on one, through loops, too."""
    effects = _Effects(graph)
    stack = [node.name for node in graph.nodes.values() if effects.of(node)]
    result: Set[str] = set()
    while stack:
        name = stack.pop()
        if name not in result:
            result.add(name)
            stack.extend(reader.name for reader in graph.consumers(name))
    return result


class _Effects:
    def __init__(self, graph: Graph) -> None:
        self._functions = {item.signature.name: item for item in graph.library.function}
        self._known: Dict[str, bool] = {}

    def of(self, node: NodeDef) -> bool:
        """Whether running a node changes anything outside of its outputs."""
        if node.op in _HARMLESS or node.op.startswith("TensorArray"):  # seen through its flow only
            return False
        called = list(_functions_of(node))
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


def _functions_of(node: NodeDef) -> Iterator[str]:
    for key in node.attr:
        value = node.attr[key]
        if value.HasField("func"):
            yield value.func.name
        for function in value.list.func:
            yield function.name
