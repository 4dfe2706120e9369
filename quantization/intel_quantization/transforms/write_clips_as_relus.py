"""Write clips at zero as ReLUs, which INT8 kernels know.

::

    Maximum(x, 0), Relu(Relu(x))                                             -> Relu(x)
    Minimum(Maximum(x, 0), 6), Maximum(Minimum(x, 6), 0), ClipByValue …      -> Relu6(x)
    the same with another end c > 0                                          -> Minimum(Relu(x), c)

So ``tf.clip_by_value`` and importers of other formats write them. A convolution takes in the last form, too: its INT8
result ends where the range ends. Conditions: float32; one number for all values; nothing else reads what is between.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from intel_quantization.graph.attributes import DT_FLOAT, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.clips import as_number

_CLIPS = ("Minimum", "Maximum", "Relu", "ClipByValue")
_INFINITY = float("inf")


class _Clip(NamedTuple):
    """What is clipped, between which numbers, and by which tensors: "" where that is no number of the graph's."""

    source: str
    low: float
    high: float
    end: str


def _bounds(graph: Graph, node: NodeDef) -> Optional[_Clip]:
    """What one node clips; None where that is not by constants."""
    inputs = graph.data_inputs(node)
    if node.op == "Relu":
        return _Clip(inputs[0], 0.0, _INFINITY, "")
    numbers = [as_number(graph.constant(name)) for name in inputs]
    if node.op == "ClipByValue":
        low, high = numbers[1:]
        return None if low is None or high is None else _Clip(inputs[0], low, high, inputs[2])
    known = [place for place, number in enumerate(numbers) if number is not None]
    if len(known) != 1:
        return None
    number, source = numbers[known[0]], inputs[1 - known[0]]
    assert number is not None  # known
    if node.op == "Minimum":
        return _Clip(source, -_INFINITY, number, inputs[known[0]])
    return _Clip(source, number, _INFINITY, "")


def _find(graph: Graph, node: NodeDef) -> Optional[Tuple[_Clip, List[NodeDef]]]:
    """What a node and those ahead of it clip together, and the nodes."""
    clip = _bounds(graph, node)
    nodes = [node]
    while clip is not None:
        maker = graph.producer(clip.source)
        ahead = _bounds(graph, maker) if maker.op in _CLIPS and attribute(maker, "T").type == DT_FLOAT else None
        if ahead is None or not graph.is_private(maker.name) or graph.control_inputs(maker):
            return clip, nodes
        end = clip.end if clip.high <= ahead.high else ahead.end
        low, high = max(clip.low, ahead.low), min(clip.high, ahead.high)
        if low > high:
            return clip, nodes  # they exclude each other: the last one has the last word
        clip = _Clip(ahead.source, low, high, end)
        nodes.append(maker)
    return None


def _is_written(node: NodeDef, clip: _Clip, nodes: List[NodeDef]) -> bool:
    if node.op == "Relu":
        return len(nodes) == 1
    return node.op == "Minimum" and [maker.op for maker in nodes[1:]] == ["Relu"] and clip.high != 6.0


def _concerns(graph: Graph, node: NodeDef) -> bool:
    found = _find(graph, node) if attribute(node, "T").type == DT_FLOAT else None
    return found is not None and not _is_written(node, *found)


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> str:
    found = _find(graph, node)
    assert found is not None  # _concerns has looked
    clip = found[0]
    if clip.low != 0.0 or clip.high <= 0.0:
        return "it clips from %g to %g, and only what ends at zero below has an INT8 kernel" % (clip.low, clip.high)
    return ""


def _rewrite(graph: Graph, node: NodeDef, _found: Match) -> None:
    found = _find(graph, node)
    assert found is not None  # _concerns has looked
    clip, _nodes = found
    waits = graph.control_inputs(node)
    replaced = [graph.producer(name).name for name in graph.data_inputs(node)]
    node.attr.clear()
    node.attr["T"].CopyFrom(dtype_attr(DT_FLOAT))
    if clip.high in (6.0, _INFINITY):
        node.op = "Relu6" if clip.high == 6.0 else "Relu"
        graph.set_inputs(node, [clip.source, *waits])
    else:
        name = graph.unique_name(node.name + "/relu")
        relu = graph.add("Relu", name, [clip.source], {"T": dtype_attr(DT_FLOAT)}, node.device)
        node.op = "Minimum"
        graph.set_inputs(node, [relu.name, clip.end, *waits])
    graph.sweep(replaced)


write_clips_as_relus = Rules(
    "write_clips_as_relus", Rule((Op("|".join(_CLIPS)),), rewrite=_rewrite, refuse=_refuse, concerns=_concerns)
)
