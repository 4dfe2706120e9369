"""Remove every node that the outputs do not need."""

from __future__ import annotations

from intel_quantization.graph.graph import Graph


def strip_unused(graph: Graph) -> int:
    """Remove what no output needs; returns how many nodes went."""
    return graph.prune()
