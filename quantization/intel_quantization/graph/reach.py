"""What depends on some nodes, and what they depend on."""

from __future__ import annotations

from typing import Callable, Iterable, Set

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph


def find_downstream(graph: Graph, names: Iterable[str]) -> Set[str]:
    """The names of some nodes, and of all that read them or wait for them, at any distance."""
    return _reach(names, lambda name: (reader.name for reader in graph.consumers(name)))


def find_upstream(graph: Graph, names: Iterable[str]) -> Set[str]:
    """The names of some nodes, and of all that these read or wait for, at any distance."""
    return _reach(names, lambda name: (tensors.node_of(each) for each in graph.nodes[name].input))


def find_fed(graph: Graph) -> Set[str]:
    """The names of the placeholders, and of the nodes that depend on one."""
    return find_downstream(graph, [node.name for node in graph.nodes.values() if node.op.startswith("Placeholder")])


def _reach(names: Iterable[str], step: Callable[[str], Iterable[str]]) -> Set[str]:
    found: Set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(step(name))
    return found
