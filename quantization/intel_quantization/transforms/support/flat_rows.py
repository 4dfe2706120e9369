"""Tensors as matrices: all but the last dimensions are rows."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, dtype_attr
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.inferred_shapes import Shape

RESHAPE = {"T": dtype_attr(DT_FLOAT), "Tshape": dtype_attr(DT_INT32)}
_INT32 = dtype_attr(DT_INT32)


def flatten_rows(graph: Graph, tensor: str, columns: int) -> str:
    """A float32 tensor as [rows, columns]: one Reshape for all that ask, so that it is quantized once."""
    for reader, index in graph.readers(tensor):
        if reader.op == "Reshape" and index == 0 and not graph.control_inputs(reader):
            shape = graph.producer(reader.input[1])
            waits = graph.control_inputs(shape)
            if shape.op == "Const" and waits in ([], [graph.anchor(tensor)]):
                if np.array_equal(np.asarray(graph.constant(shape.name)), [-1, columns]):
                    return reader.name
    stem = tensor.replace(":", "_") + "/rows"
    shape_name = graph.add_constant(stem + "/shape", np.array([-1, columns], np.int32), beside=tensor)
    return graph.add("Reshape", graph.unique_name(stem), [tensor, shape_name], RESHAPE).name


def shape_behind(graph: Graph, stem: str, source: str, summed: int, new: Sequence[int], static: Shape) -> str:
    """A tensor with the shape of what is made of a tensor's last dimensions.

    Args:
        graph: gets what computes it; a constant where no more than one size is unknown.
        stem: of the names.
        source: the tensor.
        summed: how many of its dimensions go.
        new: the sizes in their place.
        static: what is known of that shape.
    """
    sizes = as_sizes(static)
    if sizes is not None:
        return graph.add_constant(stem, np.array(sizes, np.int32), beside=source)

    def constant(name: str, value: object) -> str:
        return graph.add_constant("%s/%s" % (stem, name), np.array(value, np.int32), beside=source)

    def add(op: str, name: str, inputs: List[str], **attrs: object) -> str:
        return graph.add(op, graph.unique_name("%s/%s" % (stem, name)), inputs, attrs).name

    whole = add("Shape", "whole", [source], T=dtype_attr(DT_FLOAT), out_type=_INT32)
    bounds = [constant("begin", [0]), constant("end", [-summed]), constant("strides", [1])]
    kept = add("StridedSlice", "kept", [whole, *bounds], T=_INT32, Index=_INT32, begin_mask=1)
    inputs = [kept, constant("new", list(new)), constant("axis", 0)]
    return add("ConcatV2", "joined", inputs, N=2, T=_INT32, Tidx=_INT32)


def as_sizes(static: Shape) -> Optional[List[int]]:
    """A shape for Reshape, the one size that is unknown as -1; None where more are, or one is 0."""
    if static is None or static.count(None) > 1 or 0 in static:
        return None
    return [-1 if size is None else size for size in static]


def last_sizes(graph: Graph, shape: str, product: int) -> Tuple[int, ...]:
    """The last sizes in an operand of Reshape that a number of columns is made into; empty where they are not known.

    Args:
        graph: the graph.
        shape: the operand.
        product: what they multiply to.
    """
    known: List[int] = []
    value = graph.constant(shape)
    node = graph.producer(shape)
    if value is not None:
        known = [int(size) for size in value.reshape(-1)]
    elif node.op == "ConcatV2":
        value = graph.constant(graph.data_inputs(node)[-2])
        known = [] if value is None else [int(size) for size in value.reshape(-1)]
    elif node.op == "Pack":
        values = [graph.constant(name) for name in graph.data_inputs(node)]
        known = [-1 if item is None or item.size != 1 else int(item.reshape(-1)[0]) for item in values]
    for place in range(len(known) - 1, -1, -1):
        if known[place] < 1:
            break
        if int(np.prod(known[place:], dtype=np.int64)) == product:
            return tuple(known[place:])
    return ()
