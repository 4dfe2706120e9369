"""Attributes that an older TensorFlow does not know, where they say what it does anyway.

TensorFlow writes every attribute of an op into a graph, and one that does not know an attribute refuses
the graph. Without it, it does what the default says, since that is what the op did before. So they go when a graph
of a newer TensorFlow is read, and when one is made for an older.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Callable, Dict, Iterable, Iterator, List

from tensorflow.core.framework import attr_value_pb2, graph_pb2, types_pb2
from tensorflow.core.framework.function_pb2 import FunctionDefLibrary

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry

_EMPTY = attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue())
_FALSE = attr_value_pb2.AttrValue(b=False)
_MINUS_ONE = attr_value_pb2.AttrValue(i=-1)
_NO_TEXT = attr_value_pb2.AttrValue(s=b"")
_FLOAT = attr_value_pb2.AttrValue(type=types_pb2.DT_FLOAT)
_COMPLEX = attr_value_pb2.AttrValue(type=types_pb2.DT_COMPLEX64)
_INT32 = attr_value_pb2.AttrValue(type=types_pb2.DT_INT32)

# What the running TensorFlow does not know, it cannot tell the default of: the difference between the op registries
# of 1.15.2 and 2.21.0, of ops that a frozen graph may hold.
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


HasAttr = Callable[[str, str], bool]


def without_newer_attributes(graph_def: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """A graph as the running TensorFlow takes it; the graph itself where nothing is to be removed."""
    if not any(_list_newer(node, registry.has_attr) for node in _walk_nodes(graph_def.node, graph_def.library)):
        return graph_def
    older = graph_pb2.GraphDef()
    older.CopyFrom(graph_def)
    _strip(_walk_nodes(older.node, older.library), registry.has_attr)
    return older


def strip_newer_attributes(graph: Graph, has_attr: HasAttr) -> int:
    """Strip what a target does not know from all nodes, also those of functions.

    Args:
        graph: edited in place.
        has_attr: whether an op of the target has an attribute, such as :meth:`Capabilities.has_attr`.

    Returns:
        How many attributes went.
    """
    return _strip(_walk_nodes(graph.nodes.values(), graph.library), has_attr)


def _strip(nodes: Iterable[NodeDef], has_attr: HasAttr) -> int:
    count = 0
    for node in nodes:
        newer = _list_newer(node, has_attr)
        for name in newer:
            del node.attr[name]
        count += len(newer)
    return count


def _walk_nodes(nodes: Iterable[NodeDef], library: FunctionDefLibrary) -> Iterator[NodeDef]:
    yield from nodes
    for function in library.function:
        yield from function.node_def


def _list_newer(node: NodeDef, has_attr: HasAttr) -> List[str]:
    """The names of attributes that have their default and that are not known."""
    defaults = _find_defaults(node.op)
    return [
        name
        for name, value in node.attr.items()
        if name in defaults and value == defaults[name] and not has_attr(node.op, name)
    ]


@lru_cache(maxsize=None)
def _find_defaults(op: str) -> Dict[str, attr_value_pb2.AttrValue]:
    """The defaults of an op's attributes, also of those that only a later version has; none for an unknown op."""
    definition = registry.op_def(op)
    if definition is None:
        return {}
    known = {attr.name: attr.default_value for attr in definition.attr if attr.HasField("default_value")}
    return {**_DEFAULTS, **known}
