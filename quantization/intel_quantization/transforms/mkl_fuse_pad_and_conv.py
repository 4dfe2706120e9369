"""Fuse a Pad with zeros into the padding of the Conv2D behind it.

::

    Conv2D(Pad(x, p), VALID)          == Conv2D(x, EXPLICIT, p)
    Conv2D(Pad(x, p), EXPLICIT, q)    == Conv2D(x, EXPLICIT, p + q)

Conditions: constant paddings, none negative, of the spatial dimensions only (NHWC or NCHW); a Conv2D
that does not pad with SAME; a TensorFlow whose Conv2D has ``explicit_paddings`` (1.14). A Pad with several
readers stays for those that cannot take it.

Not part of the default pipeline, which leaves a Pad where it is until INT8 ops are emitted:
``QuantizedConv2D…`` takes it as ``padding_list`` then, where the target has that, and where it has not, or the
user excludes Pad, there still is a Pad. In FP32 nothing is won: TensorFlow 2.14 takes 8.03 ms with a Pad and
8.00 ms without for the first convolution of a ResNet-50, 5.42 ms and 5.34 ms for 3x3/2 on 56x56x128 (one thread).
DepthwiseConv2dNative is left alone, see :mod:`split_explicit_padding`.
"""

from __future__ import annotations

from intel_quantization.graph import registry
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.transforms.linear import roots
from intel_quantization.transforms.spatial import explicit_margins, margins_of_pad, set_margins, spatial_axes


def mkl_fuse_pad_and_conv(graph: Graph) -> int:
    """Fuse every such Pad; returns how many convolutions took one."""
    count = 0
    if registry.has_attr("Conv2D", "explicit_paddings"):
        for conv in roots(graph, ("Conv2D",)):
            while not why_not(graph, conv):
                _fuse(graph, conv)
                count += 1
    return count


def why_not(graph: Graph, conv: NodeDef) -> str:
    """Why what is before a Conv2D cannot become its padding; empty where it can."""
    source = graph.data_inputs(conv)[0]
    pad = graph.producer(source)
    if pad.op != "Pad":
        return "'%s' is a %s, not a Pad" % (pad.name, pad.op)
    if explicit_margins(conv) is None:
        return "'%s' has SAME padding" % conv.name
    if margins_of_pad(graph, pad, spatial_axes(conv)) is None:
        return "'%s' does not pad rows and columns only, by constants" % pad.name
    if graph.control_inputs(pad):
        return "'%s' waits for other nodes" % pad.name
    return ""


def _fuse(graph: Graph, conv: NodeDef) -> None:
    pad = graph.producer(graph.data_inputs(conv)[0])
    own, added = explicit_margins(conv), margins_of_pad(graph, pad, spatial_axes(conv))
    assert own is not None  # why_not has looked
    assert added is not None
    top, bottom, left, right = (first + second for first, second in zip(own, added))
    set_margins(conv, (top, bottom, left, right))
    graph.set_input(conv, 0, graph.data_inputs(pad)[0])
    graph.sweep([pad.name])
