"""Write a Conv2D with as many groups as channels as a depthwise convolution, which has INT8 kernels.

::

    Conv2D(x [..., c], w [h, w, 1, c * m])  ==  DepthwiseConv2dNative(x, w [h, w, c, m])

So Keras layers with ``groups`` and importers of other formats write it (ConvNeXt). In FP32 it takes no longer
(measured). Conditions: float32; constant weights; one stride along height and width, no dilation.
"""

from __future__ import annotations

from functools import partial
from typing import Optional

from intel_quantization.graph.attributes import attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.graph.pattern import Any, Const, Match, Op
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.stands_for import set_stands_for
from intel_quantization.transforms.rule import Rule, Rules, make_pass
from intel_quantization.transforms.support.linear import output_channels

_PATTERN = Op("Conv2D", inputs=(Any("x"), Const("weights", 4)))
_KEPT = ("T", "strides", "padding", "data_format", "explicit_paddings")


def _channels(shapes: InferredShapes, node: NodeDef, source: str) -> Optional[int]:
    """How many channels a convolution reads; None where that is not known."""
    shape = shapes(source)
    return shape[3 if is_channels_last(node) else 1] if shape is not None and len(shape) == 4 else None


def _concerns(shapes: InferredShapes, graph: Graph, node: NodeDef) -> bool:
    source, weights = graph.data_inputs(node)[:2]
    value = graph.constant(weights)
    if value is None or value.ndim != 4 or value.shape[2] != 1:
        return False
    return _channels(shapes, node, source) != 1


def _refuse(shapes: InferredShapes, _graph: Graph, node: NodeDef, found: Match) -> str:
    weights = found.values["weights"]
    if output_channels(node, weights) is None:
        return "it is not float32"
    channels = _channels(shapes, node, found.tensors["x"])
    if not channels or weights.shape[3] % channels:
        return "how many channels it reads is not known"
    axes = (1, 2) if is_channels_last(node) else (2, 3)
    strides, dilations = (list(attribute(node, key).list.i) for key in ("strides", "dilations"))
    if strides[axes[0]] != strides[axes[1]]:
        return "a depthwise convolution has one stride along height and width"
    if any(size != 1 for size in dilations):
        return "a dilated depthwise convolution has no kernel everywhere"
    return ""


def _rewrite(shapes: InferredShapes, graph: Graph, node: NodeDef, found: Match) -> None:
    source, old, weights = found.tensors["x"], found.tensors["weights"], found.values["weights"]
    channels = _channels(shapes, node, source)
    assert channels  # _refuse has looked
    values = weights.reshape(*weights.shape[:2], channels, -1)
    name = graph.add_constant(node.name + "/by_channel", values, beside=source, waits=waits_of(graph, [old]))
    kept = {key: node.attr[key] for key in _KEPT if key in node.attr}
    if attribute(node, "padding").s != b"EXPLICIT":
        kept.pop("explicit_paddings", None)
    donor = graph.add("DepthwiseConv2dNative", graph.unique_name(node.name + "/new"), (), kept)
    node.op = donor.op
    node.attr.clear()
    for key in donor.attr:
        node.attr[key].CopyFrom(donor.attr[key])
    graph.remove(donor.name)
    graph.set_input(node, 1, name)
    set_stands_for(node, "Conv2D", node.name)
    graph.sweep([graph.producer(old).name])


def _rules(graph: Graph) -> Rules:
    shapes = InferredShapes(graph)
    rule = Rule((_PATTERN,), partial(_rewrite, shapes), partial(_refuse, shapes), partial(_concerns, shapes))
    return Rules("write_as_depthwise", rule)


write_as_depthwise = make_pass("write_as_depthwise", _rules)
