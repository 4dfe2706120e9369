"""The INT8 form of ops that carry INT8 values through; see :mod:`intel_quantization.quantize.carries`."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.quantize.carries import MOVING, POOLS
from intel_quantization.quantize.int8_tensor import Int8Tensor, as_bytes


def carry_ops(graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor]) -> str:
    """Add the INT8 form of a node beside it.

    Args:
        graph: edited in place.
        node: the FP32 node; left as it is.
        sources: its float32 inputs in INT8, all signed or all unsigned.

    Returns:
        The name of the INT8 tensor. Its range is the widest of the sources' ranges.
    """
    inputs = [source.tensor for source in sources]
    attrs: Dict[str, Any] = {"T": dtype_attr(sources[0].dtype)}
    waits = graph.control_inputs(node)
    name = graph.unique_name(node.name + "/int8")
    if node.op == "Pad":
        return _pad(graph, node, sources[0], name)
    if node.op in MOVING:
        return _moved(graph, node, sources[0], name)
    if node.op in POOLS:
        attrs.update({key: attribute(node, key) for key in ("ksize", "strides", "padding")})
        inputs += [sources[0].low, sources[0].high]
        return graph.add("Quantized" + node.op, name, inputs + waits, attrs, node.device).name
    if node.op == "ConcatV2":
        attrs.update(N=len(sources), Tidx=attribute(node, "Tidx"))
        inputs.append(graph.data_inputs(node)[-1])
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


def _pad(graph: Graph, node: NodeDef, source: Int8Tensor, name: str) -> str:
    """Pad four neighbouring channels as one float32: [N, H, W, C] -> [N, H, W, C / 4, 4] -> float32 -> back."""
    four = graph.add_constant(name + "/four", np.array([1, 1, 1, 4], np.int32), beside=source.tensor)
    last = graph.add_constant(name + "/last", np.array([4], np.int32), beside=source.tensor)
    axis = graph.add_constant(name + "/axis", np.int32(0), beside=source.tensor)
    number, int8, real = dtype_attr(DT_INT32), dtype_attr(source.dtype), dtype_attr(DT_FLOAT)

    def add(op: str, suffix: str, inputs: List[str], **attrs: Any) -> str:
        return graph.add(op, graph.unique_name("%s/%s" % (name, suffix)), inputs, attrs, node.device).name

    shape = add("Shape", "shape", [source.tensor], T=int8, out_type=number)
    fewer = add("FloorDiv", "fewer", [shape, four], T=number)
    split = add("ConcatV2", "split", [fewer, last, axis], N=2, T=number, Tidx=number)
    quads = add("Reshape", "quads", [source.tensor, split], T=int8, Tshape=number)
    words = add("Bitcast", "words", [quads], T=int8, type=real)
    paddings = graph.data_inputs(node)[1]
    waits = graph.control_inputs(node)
    padded = add("Pad", "padded", [words, paddings] + waits, T=real, Tpaddings=attribute(node, "Tpaddings"))
    outer = add("Shape", "outer", [padded], T=real, out_type=number)
    whole = add("Mul", "whole", [outer, four], T=number)
    back = add("Bitcast", "back", [padded], T=real, type=int8)
    return graph.add("Reshape", name, [back, whole], {"T": int8, "Tshape": number}, node.device).name
