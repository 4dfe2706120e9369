"""Write a transposed convolution as a convolution whose channels DepthToSpace spreads, which has INT8 kernels.

::

    Conv2DBackpropInput(x, w [k, k, m, n], stride s)  ==  Slice(DepthToSpace(Conv2D(x, v [d, d, n, s * s * m]), s))

Position ``s * a + r`` of the result, counted from its padding on, reads ``x[a - t]`` with the tap ``s * t + r`` of w:
each of the s * s remainders r has a convolution of ``d = ceil(k / s)`` taps of its own, flipped. Taps that w does not
have are zero. Measured on AVX2 in one thread, INT8 with what converts its input, over FP32 as it was: 2x2 with stride 2
2.1x, 4x4 1.4x, 3x3 1.2 to 1.4x, 5x5 1.2x; the new form in FP32 1.3x, 0.8x, 0.7 to 0.9x, 0.7x.

Conditions: float32, NHWC, constant weights, one stride of 1 to 4 along height and width, no dilation; how large input
and result are is known, up to the batch; and no more than half of the taps are zero.
"""

from __future__ import annotations

from functools import partial
from typing import List, NamedTuple, Tuple, Union

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, attribute, dtype_attr, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.graph.pattern import Any, Const, Match, Op
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.stands_for import set_stands_for
from intel_quantization.transforms.rule import Rule, Rules, make_pass
from intel_quantization.transforms.support.spatial import set_margins

_PATTERN = Op("Conv2DBackpropInput", inputs=(Any("sizes"), Const("weights", 4), Any("x")))
_LARGEST_STRIDE = 4
_MOST_ZEROS = 2.0  # so many times the taps that there are
_FLOAT, _INT32 = dtype_attr(DT_FLOAT), dtype_attr(DT_INT32)


class _Axis(NamedTuple):
    """How the new form goes along height or width.

    Attributes:
        before: zeros ahead of the input.
        behind: zeros behind it.
        begin: where the result begins in what DepthToSpace gives.
        size: of the result.
        cut: whether DepthToSpace gives more.
    """

    before: int
    behind: int
    begin: int
    size: int
    cut: bool


def _axis(taps: int, stride: int, size: int, result: int, is_same: bool) -> Union[_Axis, str]:
    """How to go along one axis, or why not.

    Args:
        taps: of the weights.
        stride: of the transposed convolution.
        size: of its input.
        result: of its result.
        is_same: whether it pads as SAME.
    """
    fitting = -(-result // stride) if is_same else (result - taps) // stride + 1
    if fitting != size:
        return "its result has another size than its input makes"
    padded = max((size - 1) * stride + taps - result, 0) // 2 if is_same else 0
    first, last = padded // stride, (result - 1 + padded) // stride
    before, behind = -(-taps // stride) - 1 - first, last - (size - 1)
    if before < 0 or behind < 0:
        return "part of its input is not read"
    begin = padded - first * stride
    return _Axis(before, behind, begin, result, begin > 0 or result < (last - first + 1) * stride)


def _look(shapes: InferredShapes, node: NodeDef, found: Match) -> Union[Tuple[int, List[_Axis]], str]:
    """The stride and how to go along both axes, or why the node stays."""
    weights = found.values["weights"]
    if attribute(node, "T").type != DT_FLOAT:
        return "it is not float32"
    if not is_channels_last(node):
        return "it is not NHWC"
    strides = list(attribute(node, "strides").list.i)[1:3]
    if strides[0] != strides[1] or not 1 <= strides[0] <= _LARGEST_STRIDE:
        return "its strides are not alike, or larger than %d" % _LARGEST_STRIDE
    if any(size != 1 for size in attribute(node, "dilations").list.i):
        return "it is dilated"
    if attribute(node, "padding").s not in (b"SAME", b"VALID"):
        return "its padding is explicit"
    source, result = shapes(found.tensors["x"]), shapes(node.name)
    if source is None or result is None or len(source) != 4 or len(result) != 4:
        return "its sizes are not known"
    if source[3] != weights.shape[3]:
        return "it has groups, or how many channels it reads is not known"
    stride = strides[0]
    taps = [-(-size // stride) * stride for size in weights.shape[:2]]
    if taps[0] * taps[1] > _MOST_ZEROS * weights.shape[0] * weights.shape[1]:
        return "its stride is large for its %dx%d weights, which would be zeros for the most part" % weights.shape[:2]
    axes: List[_Axis] = []
    for number in (0, 1):
        size, made = source[number + 1], result[number + 1]
        if size is None or made is None:
            return "its sizes are not known"
        axis = _axis(weights.shape[number], stride, size, made, attribute(node, "padding").s == b"SAME")
        if isinstance(axis, str):
            return axis
        axes.append(axis)
    return stride, axes


def spread_weights(weights: np.ndarray, stride: int) -> np.ndarray:
    """The weights of the new form.

    Args:
        weights: float32 [height, width, outputs, inputs].
        stride: s.

    Returns:
        float32 [ceil(height / s), ceil(width / s), inputs, s * s * outputs].
    """
    height, width, outputs, inputs = weights.shape
    rows, columns = -(-height // stride), -(-width // stride)
    padded = np.zeros((rows * stride, columns * stride, outputs, inputs), np.float32)
    padded[:height, :width] = weights
    by_remainder = padded.reshape(rows, stride, columns, stride, outputs, inputs)[::-1, :, ::-1]
    return by_remainder.transpose(0, 2, 5, 1, 3, 4).reshape(rows, columns, inputs, -1)


def _refuse(shapes: InferredShapes, _graph: Graph, node: NodeDef, found: Match) -> str:
    looked = _look(shapes, node, found)
    return looked if isinstance(looked, str) else ""


def _rewrite(shapes: InferredShapes, graph: Graph, node: NodeDef, found: Match) -> None:
    looked = _look(shapes, node, found)
    assert not isinstance(looked, str)  # _refuse has looked
    stride, axes = looked
    stem, source, old = node.name, found.tensors["x"], found.tensors["weights"]
    replaced = [graph.producer(name).name for name in (old, found.tensors["sizes"])]
    values = spread_weights(found.values["weights"], stride)
    weights = graph.add_constant(stem + "/spread", values, beside=source, waits=waits_of(graph, [old]))
    attrs = {"T": _FLOAT, "strides": [1, 1, 1, 1], "padding": "VALID", "data_format": "NHWC", "dilations": [1, 1, 1, 1]}
    inputs = [source, weights, *graph.control_inputs(node)]
    conv = graph.add("Conv2D", graph.unique_name(stem + "/conv"), inputs, attrs, node.device)
    set_margins(conv, (axes[0].before, axes[0].behind, axes[1].before, axes[1].behind))
    set_stands_for(conv, node.op, stem)
    last = conv.name
    if stride > 1:
        attrs = {"T": _FLOAT, "block_size": stride, "data_format": "NHWC"}
        last = graph.add("DepthToSpace", graph.unique_name(stem + "/spaced"), [last], attrs, node.device).name
    if any(axis.cut for axis in axes):
        places = ([0, axes[0].begin, axes[1].begin, 0], [-1, axes[0].size, axes[1].size, -1])
        names = [graph.add_constant(stem + "/place", np.array(place, np.int32), beside=source) for place in places]
        attrs = {"T": _FLOAT, "Index": _INT32}
        last = graph.add("Slice", graph.unique_name(stem + "/cut"), [last, *names], attrs, node.device).name
    node.op = "Identity"
    node.attr.clear()
    node.attr["T"].CopyFrom(_FLOAT)
    graph.set_inputs(node, [last])
    if not graph.is_output(stem):  # the report tells of the node that the user knows
        graph.bypass(stem)
        graph.rename(conv.name, stem)
    graph.sweep(replaced)


def _rules(graph: Graph) -> Rules:
    shapes = InferredShapes(graph)
    return Rules("write_transposed_convs", Rule((_PATTERN,), partial(_rewrite, shapes), partial(_refuse, shapes)))


# again: what reads a result waits until its shape is inferred
write_transposed_convs = make_pass("write_transposed_convs", _rules, again=True)
