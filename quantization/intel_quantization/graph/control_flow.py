"""Which nodes run once each time a graph runs, and which only in a loop or a branch."""

from __future__ import annotations

from typing import Dict, List, Tuple

from intel_quantization.graph.graph import Graph

# where a region begins, the ops that end it, and what to call it
_REGIONS: Tuple[Tuple[Tuple[str, ...], Tuple[str, ...], str], ...] = (
    (("Enter", "RefEnter"), ("Exit", "RefExit"), "inside a while loop"),
    (("Switch", "RefSwitch"), ("Merge", "RefMerge", "Exit", "RefExit"), "inside a conditional branch"),
)


def control_flow_regions(graph: Graph) -> Dict[str, str]:
    """The nodes of while loops and conditional branches (of TensorFlow 1, in the graph itself).

    Such a node may run many times or not at all, so its tensors cannot be fetched.

    Returns:
        Node name -> "inside a while loop" or "inside a conditional branch".
    """
    result: Dict[str, str] = {}
    for begins, ends, text in _REGIONS:
        stack: List[str] = [node.name for node in graph.nodes.values() if node.op in begins]
        seen = set(stack)
        while stack:
            name = stack.pop()
            result.setdefault(name, text)
            for consumer in graph.consumers(name):
                if consumer.name not in seen and consumer.op not in ends:
                    seen.add(consumer.name)
                    stack.append(consumer.name)
    return result
