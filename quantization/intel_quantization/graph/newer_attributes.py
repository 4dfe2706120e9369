"""Attributes that TensorFlow got after 1.15, where a graph gives them the value of their default.

TensorFlow writes every attribute of an op into a graph, and one that does not know an attribute refuses
the graph. Without it, it does what the default says, since that is what the op did before.
"""

from __future__ import annotations

from typing import Iterator

from tensorflow.core.framework import attr_value_pb2, graph_pb2, node_def_pb2, types_pb2

from intel_quantization.graph import registry

_EMPTY = attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue())
_FALSE = attr_value_pb2.AttrValue(b=False)
_MINUS_ONE = attr_value_pb2.AttrValue(i=-1)
_NO_TEXT = attr_value_pb2.AttrValue(s=b"")
_FLOAT = attr_value_pb2.AttrValue(type=types_pb2.DT_FLOAT)
_COMPLEX = attr_value_pb2.AttrValue(type=types_pb2.DT_COMPLEX64)
_INT32 = attr_value_pb2.AttrValue(type=types_pb2.DT_INT32)

# The difference between the op registries of 1.15.2 and 2.21.0, of ops that a frozen graph may hold.
_DEFAULTS = {
    "Tcomplex": _COMPLEX,
    "Tk": _INT32,
    "Treal": _FLOAT,
    "Tsegmentids": _INT32,
    "Tshape": _INT32,
    "axis": _MINUS_ONE,
    "bad_indices_policy": _NO_TEXT,
    "dtype": _FLOAT,
    "ensure_minimum_range": attr_value_pb2.AttrValue(f=0.01),
    "explicit_paddings": _EMPTY,
    "exponential_avg_factor": attr_value_pb2.AttrValue(f=1.0),
    "grad_a": _FALSE,
    "grad_b": _FALSE,
    "grad_x": _FALSE,
    "grad_y": _FALSE,
    "index_type": _INT32,
    "narrow_range": _FALSE,
    "padding_list": _EMPTY,
    "perturb_singular": _FALSE,
    "resize_if_index_out_of_bounds": _FALSE,
    "shape_type": _INT32,
    "sparse_gradient": _FALSE,
}


def without_newer_attributes(graph_def: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """A graph as the running TensorFlow takes it; the graph itself where nothing is to be removed."""
    if not any(_newer(node) for node in _nodes(graph_def)):
        return graph_def
    older = graph_pb2.GraphDef()
    older.CopyFrom(graph_def)
    for node in _nodes(older):
        for name in _newer(node):
            del node.attr[name]
    return older


def _nodes(graph_def: graph_pb2.GraphDef) -> Iterator[node_def_pb2.NodeDef]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _newer(node: node_def_pb2.NodeDef) -> list:
    """The names of attributes that have their default and that the running TensorFlow does not know."""
    names = [name for name in node.attr if name in _DEFAULTS and node.attr[name] == _DEFAULTS[name]]
    if not names or registry.op_def(node.op) is None:
        return []
    return [name for name in names if not registry.has_attr(node.op, name)]
