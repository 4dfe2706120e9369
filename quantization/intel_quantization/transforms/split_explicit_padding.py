"""Take the explicit padding of a depthwise convolution out into a Pad.

::

    DepthwiseConv2dNative(x, EXPLICIT, p) == DepthwiseConv2dNative(Pad(x, p), VALID)

A Pad is what emission makes a ``padding_list`` of, where the target's depthwise op has one, and what it
leaves in place where not. And TensorFlow 2.14 dies of the explicit form ("Invalid index from the
dimension", tensor_format.h) as soon as Grappler has fused BiasAdd and Relu into it.

Conditions: float32, NHWC or NCHW.
"""

from __future__ import annotations

from intel_quantization.graph.attributes import DT_FLOAT, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.spatial import explicit_margins, paddings_of, set_margins, spatial_axes


def _pads_explicitly(_graph: Graph, node: NodeDef) -> bool:
    return attribute(node, "padding").s == b"EXPLICIT"


def _refuse(_graph: Graph, node: NodeDef, _found: Match) -> str:
    return "" if attribute(node, "T").type == DT_FLOAT else "'%s' is not float32" % node.name


def _split(graph: Graph, node: NodeDef, found: Match) -> None:
    margins, axes = explicit_margins(node), spatial_axes(node)
    assert margins is not None  # the padding is EXPLICIT
    source = found.tensors["x"]
    if any(margins):
        paddings = graph.add_constant(node.name + "/paddings", paddings_of(margins, axes), beside=source)
        types = {"T": dtype_attr(DT_FLOAT), "Tpaddings": graph.nodes[paddings].attr["dtype"]}
        pad = graph.add("Pad", graph.unique_name(node.name + "/pad"), [source, paddings], types, node.device)
        graph.set_input(node, 0, pad.name)
    set_margins(node, (0, 0, 0, 0))


split_explicit_padding = Rules(
    "split_explicit_padding",
    Rule((Op("DepthwiseConv2dNative", inputs=(Any("x"),)),), rewrite=_split, refuse=_refuse, concerns=_pads_explicitly),
)
