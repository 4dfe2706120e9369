"""Whether every node of a graph says of itself what its op asks for: a damaged file may parse and still be none.

TensorFlow checks the same, but only when it imports the graph, and by then its nodes have been read here.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

from tensorflow.core.framework import (
    attr_value_pb2,
    function_pb2,
    graph_pb2,
    node_def_pb2,
    op_def_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)
from tensorflow.python.framework import dtypes

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.graph.io import PROTOBUF_LIMIT
from intel_quantization.ops import registry

_FIELDS = {
    "string": "s",
    "int": "i",
    "float": "f",
    "bool": "b",
    "type": "type",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}
_TYPES = frozenset(types_pb2.DataType.values()) - {types_pb2.DT_INVALID}
# Where the values of a type are; those of all others are in int_val.
_VALUES = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_COMPLEX64: "scomplex_val",
    types_pb2.DT_COMPLEX128: "dcomplex_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
}
# How many numbers an attribute of these ops has.
_IMAGE_OPS = ("Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool")
_LENGTHS = {"strides": (4,), "ksize": (4,), "dilations": (4,), "explicit_paddings": (0, 8)}
# What passes read as text.
_TEXTS = ("frame_name", "_user_specified_name")
_OPAQUE = (types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE)
# How many numbers of the message one value takes.
_PARTS = {types_pb2.DT_COMPLEX64: 2, types_pb2.DT_COMPLEX128: 2}
_REMEDY = "the file is damaged, or was written by a faulty program: make or copy it anew"


class _Attr(NamedTuple):
    field: str
    types: Optional[FrozenSet[int]]
    texts: Optional[FrozenSet[bytes]]
    least: int
    required: bool


def check_well_formed(graph_def: graph_pb2.GraphDef, where: str) -> None:
    """Check the attributes and constants of all nodes, and what functions are made of.

    Args:
        graph_def: the graph.
        where: its name in the error.

    Raises:
        BadInputError: two nodes have one name; one lacks an attribute, or has one of another kind or with a value
            that does not exist; a constant's type or shape does not fit its bytes; all together exceed 2 GB.
    """
    total = 0
    names = {node.name for node in graph_def.node}
    for node in graph_def.node:
        total += _check_node(node, where, False)
    if len(names) < len(graph_def.node):
        twice = next(name for name, count in Counter(node.name for node in graph_def.node).items() if count > 1)
        raise BadInputError("%s has two nodes named '%s'" % (where, twice), _REMEDY)
    for function in graph_def.library.function:
        name = "%s, function '%s'" % (where, function.signature.name)
        for node in function.node_def:
            total += _check_node(node, name, True)
        _check_function(function, name)
    if total > PROTOBUF_LIMIT:
        raise BadInputError("the constants of %s have %d bytes; at most 2 GB are read" % (where, total), _REMEDY)


def check_edges(graph_def: graph_pb2.GraphDef, where: str) -> None:
    """Check that what nodes read is there, and rightly spelt.

    Raises:
        BadInputError: a node reads what is not.
    """
    names = {node.name for node in graph_def.node}
    for node in graph_def.node:
        control = False
        for name in node.input:
            problem, remedy = "", _REMEDY
            if tensors.node_of(name) not in names:
                problem, remedy = "which is not in the graph", "give the whole file; this one may have been cut off"
            elif tensors.is_control(name):
                control = True
            elif not tensors.is_well_formed(name):
                problem = "which is no tensor name"
            elif control:
                problem = "behind a control input"
            if problem:
                raise BadInputError("%s: node '%s' has the input '%s', %s" % (where, node.name, name, problem), remedy)


def _check_node(node: node_def_pb2.NodeDef, where: str, in_function: bool) -> int:
    """Check one node; returns how many bytes its value takes when it is written out."""
    problem = ""
    if not node.name or not node.op:
        problem = "has no %s" % ("name" if not node.name else "op")
    expected = _list_attributes(node.op)
    for key, value in node.attr.items():
        kind = value.WhichOneof("value")
        attr = expected.get(key)
        if attr is not None and kind != attr.field and not (kind == "placeholder" and in_function):
            problem = "has no proper attribute '%s'" % key
        elif kind == "type":
            if value.type not in _TYPES or (attr is not None and attr.types and value.type not in attr.types):
                problem = "has the attribute '%s' of an unknown type" % key
        elif kind == "list":
            problem = problem or _list_problem(key, value.list, attr)
            if node.op in _IMAGE_OPS and key in _LENGTHS and len(value.list.i) not in _LENGTHS[key]:
                problem = "has the attribute '%s' with %d numbers" % (key, len(value.list.i))
        elif kind == "s":
            if attr is not None and attr.texts and value.s not in attr.texts:
                problem = "has the unknown %s %r" % (key, value.s[:40])
            elif key in _TEXTS and not _is_text(value.s):
                problem = "has the attribute '%s', which is no text" % key
        elif kind == "shape":
            problem = problem or _shape_problem(key, value.shape)
    for key in _list_required(node.op):
        if key not in node.attr:
            problem = problem or "has no attribute '%s'" % key
    size = 0
    if not problem and node.op == "Const":
        proto = node.attr["value"].tensor
        if "placeholder" in (node.attr["dtype"].WhichOneof("value"), node.attr["value"].WhichOneof("value")):
            return 0
        problem = tensor_problem(proto)
        if proto.dtype != node.attr["dtype"].type:
            problem = "is said to be %s, its value is %s" % (
                _name_type(node.attr["dtype"].type),
                _name_type(proto.dtype),
            )
        if not problem:
            size = _count_elements(proto) * _find_size(proto.dtype)
    if problem:
        raise BadInputError("%s: node '%s' (%s) %s" % (where, node.name, node.op, problem), _REMEDY)
    return size


def tensor_problem(proto: tensor_pb2.TensorProto) -> str:
    """What is wrong with a value; empty where nothing is."""
    if proto.dtype not in _TYPES or proto.dtype >= types_pb2.DT_FLOAT_REF:
        return "has a value of an unknown type"
    if proto.tensor_shape.unknown_rank or any(dim.size < 0 for dim in proto.tensor_shape.dim):
        return "has a value of unknown shape"
    if proto.dtype in _OPAQUE:
        return ""
    elements, content = _count_elements(proto), len(proto.tensor_content)
    size = _find_size(proto.dtype)
    if content and (proto.dtype == types_pb2.DT_STRING or content != elements * size):
        shape = "x".join(str(dim.size) for dim in proto.tensor_shape.dim)
        return "has a value of %d bytes, which is no %s of shape [%s]" % (content, _name_type(proto.dtype), shape)
    given = 0 if content else len(getattr(proto, _VALUES.get(proto.dtype, "int_val")))
    if given > elements * _PARTS.get(proto.dtype, 1):
        return "has %d values for a shape of %d" % (given, elements)
    return ""


@lru_cache(maxsize=None)
def _find_size(dtype: int) -> int:
    """Bytes of a value; what has none of its own, such as a string, counts as 1."""
    return max(dtypes.as_dtype(dtype).size or 1, 1)


def _list_problem(key: str, value: attr_value_pb2.AttrValue.ListValue, attr: Optional[_Attr]) -> str:
    if key == "_class" and not all(_is_text(text) for text in value.s):
        return "has the attribute '_class', which is no text"
    if any(number not in _TYPES for number in value.type):
        return "has the attribute '%s' of an unknown type" % key
    if attr is not None and attr.least:
        longest = max(len(getattr(value, field)) for field in _FIELDS.values())
        if longest < attr.least:
            return "has the attribute '%s' with %d values; it takes at least %d" % (key, longest, attr.least)
    return ""


def _shape_problem(key: str, shape: tensor_shape_pb2.TensorShapeProto) -> str:
    if any(dim.size < -1 for dim in shape.dim):
        return "has the attribute '%s' with a negative dimension" % key
    size = 1
    for dim in shape.dim:
        size *= max(dim.size, 1)
    return "has the attribute '%s', a shape of too many elements" % key if size >= 2**63 else ""


def _check_function(function: function_pb2.FunctionDef, where: str) -> None:
    """That everything that is named in a function is there."""
    bodies = {node.name for node in function.node_def}
    known = bodies | {arg.name for arg in function.signature.input_arg}
    references = [(node.name, name) for node in function.node_def for name in node.input]
    references += [("its results", function.ret.get(arg.name, "")) for arg in function.signature.output_arg]
    for reader, name in references:
        if tensors.node_of(name) not in known:
            raise BadInputError("%s: %s reads '%s', which is not there" % (where, reader, name), _REMEDY)
    for name in function.control_ret.values():
        if name not in bodies:
            raise BadInputError("%s: its control output is '%s', which does not exist" % (where, name), _REMEDY)
    if len(bodies) != len(function.node_def):
        raise BadInputError("%s has two nodes of one name" % where, _REMEDY)


@lru_cache(maxsize=None)
def _list_attributes(op: str) -> Dict[str, _Attr]:
    """What the running TensorFlow asks of an op's attributes; nothing where it does not know the op."""
    definition = registry.op_def(op)
    return {} if definition is None else {attr.name: _read_asked(attr) for attr in definition.attr}


@lru_cache(maxsize=None)
def _list_required(op: str) -> Tuple[str, ...]:
    return tuple(key for key, attr in _list_attributes(op).items() if attr.required)


def _read_asked(attr: op_def_pb2.OpDef.AttrDef) -> _Attr:
    allowed = attr.allowed_values.list if attr.HasField("allowed_values") else None
    one = not attr.type.startswith("list(")
    return _Attr(
        _FIELDS[attr.type] if one else "list",
        frozenset(allowed.type) if allowed is not None and one and allowed.type else None,
        frozenset(allowed.s) if allowed is not None and one and allowed.s else None,
        attr.minimum if attr.has_minimum and not one else 0,
        not attr.HasField("default_value"),
    )


def _count_elements(proto: tensor_pb2.TensorProto) -> int:
    result = 1
    for dim in proto.tensor_shape.dim:
        result *= dim.size
    return result


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _name_type(number: int) -> str:
    return types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else "of type %d" % number
