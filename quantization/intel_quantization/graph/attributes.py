"""Attributes of nodes: writing plain values, and reading without the side effects of protobuf's maps."""

from __future__ import annotations

from typing import Any

from tensorflow.core.framework import node_def_pb2, types_pb2
from tensorflow.core.framework.attr_value_pb2 import AttrValue

DT_FLOAT = types_pb2.DT_FLOAT
DT_INT32 = types_pb2.DT_INT32
DT_INT8 = types_pb2.DT_INT8
DT_QINT8 = types_pb2.DT_QINT8
DT_QUINT8 = types_pb2.DT_QUINT8
DT_UINT8 = types_pb2.DT_UINT8


def attribute(node: node_def_pb2.NodeDef, key: str) -> AttrValue:
    """An attribute; an empty AttrValue where the node does not have it, as after stripping defaults.

    ``node.attr[key]`` would put an empty one into the node, which TensorFlow then refuses. What is
    read of an empty one is false, 0 or "": right for attributes whose default is that.
    """
    return node.attr[key] if key in node.attr else AttrValue()


def is_channels_last(node: node_def_pb2.NodeDef) -> bool:
    """Whether a node has no data_format, or NHWC."""
    return attribute(node, "data_format").s in (b"", b"NHWC")


def attr_value(value: Any) -> AttrValue:
    """An AttrValue from a plain value.

    bool, int, float, str and bytes become scalars, a list of ints, floats or strings a list;
    a DataType is given as :func:`dtype_attr`.

    Raises:
        TypeError: any other type.
    """
    result = AttrValue()
    if isinstance(value, bool):
        result.b = value
    elif isinstance(value, int):
        result.i = value
    elif isinstance(value, float):
        result.f = value
    elif isinstance(value, (str, bytes)):
        result.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, (list, tuple)):
        result.list.SetInParent()
        if all(isinstance(item, int) for item in value):
            result.list.i.extend(value)
        elif all(isinstance(item, float) for item in value):
            result.list.f.extend(value)
        elif all(isinstance(item, str) for item in value):
            result.list.s.extend(item.encode() for item in value)
        else:
            raise TypeError("no attribute can hold %r" % (value,))
    else:
        raise TypeError("no attribute can hold %r" % (value,))
    return result


def dtype_attr(dtype: int) -> AttrValue:
    """An AttrValue that holds a DataType, given by its number (``types_pb2.DT_QINT8`` …)."""
    return AttrValue(type=dtype)
