"""Scale the channels of a float32 tensor, without a further pass over it where what makes it multiplies anyway.

A hard-swish ends in a product with 1/6, squeeze-and-excite in a product with one gate for each channel: there the scale
goes into the constant, or into the gate, which is small.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import Shape
from intel_quantization.graph.waits import waits_of

Shapes = Callable[[str], Shape]
# How many products are looked at, one before the other.
_DEPTH = 3


def absorbs_scale(graph: Graph, tensor: str, shapes: Shapes) -> bool:
    """Whether scaling the channels of a tensor needs no pass over all of its values.

    Args:
        graph: the FP32 graph.
        tensor: float32 [..., channels].
        shapes: of the graph's tensors.
    """
    return _way(graph, tensor, shapes, _DEPTH) is not None


def scale_source(graph: Graph, tensor: str, scale: np.ndarray, shapes: Shapes) -> str:
    """Add what gives a tensor times ``scale``; returns its name. The tensor itself stays for its other readers.

    Args:
        graph: edited in place.
        tensor: float32 [..., channels].
        scale: shape [channels].
        shapes: of the graph's tensors.
    """
    way = _way(graph, tensor, shapes, _DEPTH)
    return _scaled(graph, tensor, scale.astype(np.float32), way or [])


Way = List[Tuple[str, int]]
"""Products, the last first: name, and which operand is scaled."""


def _way(graph: Graph, tensor: str, shapes: Shapes, depth: int) -> Optional[Way]:
    node = graph.producer(tensor)
    if not depth or node.op not in ("Mul", "RealDiv") or graph.control_inputs(node):
        return None
    operands = graph.data_inputs(node)
    possible = (0, 1) if node.op == "Mul" else (0,)
    for number in (0, 1):
        value = graph.constant(operands[number])
        if value is not None and _is_of_channels(value.shape):
            return [(node.name, number)]
    for number in possible:
        shape = shapes(operands[number])
        if shape is not None and len(shape) == 4 and shape[1] == shape[2] == 1:
            return [(node.name, number)]
    for number in possible:
        before = _way(graph, operands[number], shapes, depth - 1)
        if before is not None:
            return [(node.name, number), *before]
    return None


def _is_of_channels(shape: Tuple[int, ...]) -> bool:
    return int(np.prod(shape, dtype=np.int64)) == (shape[-1] if shape else 1)


def _scaled(graph: Graph, tensor: str, scale: np.ndarray, way: Way) -> str:
    stem = tensor.replace(":", "_") + "/scaled"
    if not way:
        factor = graph.add_constant(stem + "/by", scale, beside=tensor)
        return _product(graph, stem, [tensor, factor], None)
    (name, number), *before = way
    node = graph.nodes[name]
    operands = graph.data_inputs(node)
    value = graph.constant(operands[number])
    if value is None:
        operands[number] = _scaled(graph, operands[number], scale, before)
    else:
        divides = node.op == "RealDiv" and number == 1
        # as many dimensions as before: the product has no more than those of its operands
        value = value.reshape((1,) * (value.ndim - 1) + (-1,))
        scaled = (value / scale if divides else value * scale).astype(np.float32)
        waits = waits_of(graph, [operands[number]])
        operands[number] = graph.add_constant(stem + "/by", scaled, beside=tensor, waits=waits)
    return _product(graph, stem, operands, node)


def _product(graph: Graph, stem: str, operands: Sequence[str], like: Optional[NodeDef]) -> str:
    op, device = ("Mul", "") if like is None else (like.op, like.device)
    return graph.add(op, graph.unique_name(stem), operands, {"T": dtype_attr(DT_FLOAT)}, device).name
