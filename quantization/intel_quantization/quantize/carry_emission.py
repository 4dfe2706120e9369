"""The INT8 form of ops that carry INT8 values through; see :mod:`intel_quantization.quantize.carries`."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, AttrValue, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.quantize.carries import MOVING, POOLS
from intel_quantization.quantize.int8_tensor import Int8Tensor, as_bytes


def carry_ops(graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int) -> str:
    """Add the INT8 form of a node beside it.

    Args:
        graph: edited in place.
        node: the FP32 node; left as it is.
        sources: its float32 inputs in INT8, all signed or all unsigned.
        channels: the last dimension of the first of them; of a Pad only it matters.

    Returns:
        The name of the INT8 tensor. Its range is the widest of the sources' ranges.
    """
    inputs = [source.tensor for source in sources]
    attrs: Dict[str, Any] = {"T": dtype_attr(sources[0].dtype)}
    waits = graph.control_inputs(node)
    name = graph.unique_name(node.name + "/int8")
    if node.op == "Pad":
        return _pad(graph, node, sources[0], channels, name)
    if node.op in MOVING:
        return _moved(graph, node, sources[0], name)
    if node.op in POOLS:
        attrs.update({key: attribute(node, key) for key in ("ksize", "strides", "padding")})
        inputs += [sources[0].low, sources[0].high]
        return graph.add("Quantized" + node.op, name, inputs + waits, attrs, node.device).name
    if node.op == "ConcatV2":
        attrs.update(N=len(sources), Tidx=dtype_attr(DT_INT32))
        inputs.append(_axis(graph, node, sources[0].tensor))
        inputs += [source.low for source in sources] + [source.high for source in sources]
        return graph.add("QuantizedConcatV2", name, inputs + waits, attrs, node.device).name
    attrs.update({key: value for key, value in node.attr.items() if key != "T" and not key.startswith("_")})
    return graph.add(node.op, name, inputs + graph.data_inputs(node)[1:] + waits, attrs, node.device).name


def _moved(graph: Graph, node: NodeDef, source: Int8Tensor, name: str) -> str:
    """The op itself on bytes, which have kernels where INT8 types have none."""
    int8, plain = dtype_attr(source.dtype), dtype_attr(as_bytes(source.dtype))

    def add(op: str, suffix: str, inputs: List[str], attrs: Dict[str, Any]) -> str:
        return graph.add(op, graph.unique_name("%s/%s" % (name, suffix)), inputs, attrs, node.device).name

    data = add("Bitcast", "bytes", [source.tensor], {"T": int8, "type": plain})
    attrs = {key: value for key, value in node.attr.items() if key != "T" and not key.startswith("_")}
    inputs = [data, *graph.data_inputs(node)[1:], *graph.control_inputs(node)]
    moved = add(node.op, "moved", inputs, dict(attrs, T=plain))
    return graph.add("Bitcast", name, [moved], {"T": plain, "type": int8}, node.device).name


def _axis(graph: Graph, node: NodeDef, beside: str) -> str:
    """The axis of a ConcatV2 as int32: QuantizedConcatV2 fails on any other."""
    tensor = graph.data_inputs(node)[-1]
    axis = graph.constant(tensor)
    assert axis is not None  # a condition of every carry
    if attribute(node, "Tidx").type in (0, DT_INT32):
        return tensor
    return graph.add_constant(node.name + "/axis", axis.astype(np.int32), beside=beside)


def _pad(graph: Graph, node: NodeDef, source: Int8Tensor, channels: int, name: str) -> str:
    """Pad four neighbouring channels as one float32: [N, H, W, C] -> [N, H, W, C / 4, 4] -> float32 -> back.

    TensorFlow sees through Shape, StridedSlice and ConcatV2 when it infers shapes, so that these stay known.
    """
    number, int8, real = dtype_attr(DT_INT32), dtype_attr(source.dtype), dtype_attr(DT_FLOAT)

    def constant(suffix: str, value: Sequence[int]) -> str:
        return graph.add_constant("%s/%s" % (name, suffix), np.array(value, np.int32), beside=source.tensor)

    def add(op: str, suffix: str, inputs: List[str], **attrs: Any) -> str:
        return graph.add(op, graph.unique_name("%s/%s" % (name, suffix)), inputs, attrs, node.device).name

    begin, end, step = constant("begin", [0]), constant("end", [3]), constant("step", [1])
    axis = graph.add_constant(name + "/axis", np.int32(0), beside=source.tensor)

    def image_and(tensor: str, dtype: AttrValue, last: Sequence[int], suffix: str) -> str:
        """The first three dimensions of a tensor, and others."""
        shape = add("Shape", suffix + "/shape", [tensor], T=dtype, out_type=number)
        image = add("StridedSlice", suffix + "/image", [shape, begin, end, step], T=number, Index=number)
        behind = constant(suffix + "/last", last)
        return add("ConcatV2", suffix, [image, behind, axis], N=2, T=number, Tidx=number)

    split = image_and(source.tensor, int8, [channels // 4, 4], "split")
    quads = add("Reshape", "quads", [source.tensor, split], T=int8, Tshape=number)
    words = add("Bitcast", "words", [quads], T=int8, type=real)
    paddings = graph.data_inputs(node)[1]
    waits = graph.control_inputs(node)
    padded = add("Pad", "padded", [words, paddings] + waits, T=real, Tpaddings=attribute(node, "Tpaddings"))
    whole = image_and(padded, real, [channels], "whole")
    back = add("Bitcast", "back", [padded], T=real, type=int8)
    return graph.add("Reshape", name, [back, whole], {"T": int8, "Tshape": number}, node.device).name
