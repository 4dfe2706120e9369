"""The graph as a picture: its boxes with what is known of each, and where they stand."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from intel_quantization.conversion import Conversion
from intel_quantization.graph.frames import NEXT_ITERATION
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.reach import find_fed
from intel_quantization.report.layout import lay_out

MOST_BOXES = 2000
_DIGITS = 4


def graph_picture(
    conversion: Conversion, layers: Sequence[Mapping[str, Any]], times: Mapping[str, Mapping[str, float]]
) -> Optional[Dict[str, Any]]:
    """What is drawn; None of a graph that is too large for a picture.

    A layer that became INT8 is one box, with what is fused into it. What does not depend on the inputs is left out.

    Args:
        conversion: with both graphs.
        layers: as Blame.as_dict has them; may be empty.
        times: milliseconds by name of a node, ``fp32`` and ``int8``: of nodes of that graph; may be empty.

    Returns:
        ``boxes``: node, op, more (how many nodes it stands for besides), precision ("int8", "fp32"), local_db,
        accumulated_db, fp32_ms, int8_ms (None where not known), x and y; ``edges``: from, to, and the x where the edge
        passes rows.
    """
    graph = Graph(conversion.fp32_graph, [info.name for info in conversion.outputs])
    members = _members(conversion, graph)
    names = list(dict.fromkeys(members.values()))
    if not names or len(names) > MOST_BOXES:
        return None
    place = {name: number for number, name in enumerate(names)}
    edges = _edges(graph, members, place)
    found = lay_out(len(names), edges)
    int8 = {layer.group.linear: layer for layer in conversion.layers}
    also = {each.node for each in conversion.decisions if each.int8}  # pools and the like, which are no layers
    errors = {layer["node"]: layer for layer in layers}
    count: Dict[str, List[str]] = {}
    for node, box in members.items():
        count.setdefault(box, []).append(node)
    boxes = []
    for name in names:
        layer, error = int8.get(name), errors.get(name, {})
        inside = layer.node if layer is not None else name
        boxes.append(
            {
                "node": name,
                "op": graph.nodes[name].op,
                "more": len(count[name]) - 1,
                "precision": "int8" if name in int8 or name in also else "fp32",
                "local_db": _short(error.get("local_db")),
                "accumulated_db": _short(error.get("accumulated_db")),
                "fp32_ms": _total(times.get("fp32", {}), count[name]),
                "int8_ms": _total(times.get("int8", {}), [inside] if layer is not None else count[name]),
                "x": round(found.x[place[name]], 2),
                "y": found.y[place[name]],
            }
        )
    lines = [
        {"from": source, "to": reader, "passes": [round(x, 2) for x in found.passes.get((source, reader), [])]}
        for source, reader in edges
    ]
    return {"boxes": boxes, "edges": lines}


def _members(conversion: Conversion, graph: Graph) -> Dict[str, str]:
    """Of each node that depends on an input: the node that its box is called by, in the order of the data."""
    layer_of = {member: layer.group.linear for layer in conversion.layers for member in layer.group.members}
    fed = find_fed(graph)
    found = [node.name for node in graph.topological() if node.name in fed]
    # a layer stands where its last node does: by then, all that it reads is there
    last = {layer_of.get(name, name): number for number, name in enumerate(found)}
    return {name: layer_of.get(name, name) for name in sorted(found, key=lambda name: last[layer_of.get(name, name)])}


def _edges(graph: Graph, members: Mapping[str, str], place: Mapping[str, int]) -> List[Tuple[int, int]]:
    found = set()
    for name, box in members.items():
        if graph.nodes[name].op in NEXT_ITERATION:
            continue
        for reader in graph.consumers(name):
            other = members.get(reader.name, box)
            if other != box:
                found.add((place[box], place[other]))
    return sorted(found)


def _total(times: Mapping[str, float], names: Sequence[str]) -> Optional[float]:
    known = [times[name] for name in names if name in times]
    return _short(sum(known)) if known else None


def _short(value: Optional[float]) -> Optional[float]:
    return None if value is None else round(value, _DIGITS)
