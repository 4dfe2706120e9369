"""Graphs that are well formed, and that nobody would make: what passes must not stumble over."""

from __future__ import annotations

import random

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.python.framework import tensor_util

_SIZES = (0, 1, 1, 2, 3, 4, 5, 8, -1, 100)
_NUMBERS = (0.0, -1.0, 1.0, 1e-30, 1e30, float("nan"), float("inf"), -5.5)
# Ops that take each other's place.
_LIKE = (
    ("Relu", "Relu6", "Elu", "Selu", "Identity", "Neg", "Abs", "Softmax", "Sigmoid", "Tanh", "Sqrt", "Rsqrt", "Square"),
    ("AddV2", "Mul", "Sub", "Maximum", "Minimum", "RealDiv", "SquaredDifference", "Pow", "Add", "FloorDiv"),
    ("MaxPool", "AvgPool"),
    ("Conv2D", "DepthwiseConv2dNative"),
    ("Mean", "Sum", "Max", "Min", "Prod"),
    ("While", "StatelessWhile"),
    ("If", "StatelessIf"),
)
_OPERAND = {"Transpose": "Tperm", "Reshape": "Tshape", "ExpandDims": "Tdim", "Pad": "Tpaddings", "Tile": "Tmultiples"}
_SPLICED = ("Identity", "Relu", "Neg", "Squeeze", "BiasAdd", "Rank", *_OPERAND)


def odd(rng: random.Random, graph_def: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """A graph with one to four oddities."""
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph_def)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        rng.choice(_CHANGES)(rng, result)
    return result


def _nodes(graph_def: graph_pb2.GraphDef) -> list[node_def_pb2.NodeDef]:
    return [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]


def _list(rng, graph_def):
    """An element of strides, ksize, dilations, paddings …"""
    found = [(node, key) for node in _nodes(graph_def) for key in node.attr if node.attr[key].list.i]
    if found:
        node, key = rng.choice(found)
        values = node.attr[key].list.i
        values[rng.randrange(len(values))] = rng.choice(_SIZES)


def _length(rng, graph_def):
    found = [(node, key) for node in _nodes(graph_def) for key in node.attr if node.attr[key].list.i]
    if found:
        values = rng.choice([node.attr[key].list.i for node, key in found])
        del values[rng.randrange(len(values)) :]


def _text(rng, graph_def):
    found = [node.attr[key] for node in _nodes(graph_def) for key in ("padding", "data_format") if node.attr[key].s]
    for node in _nodes(graph_def):
        for key in ("padding", "data_format"):
            if key in node.attr and not node.attr[key].WhichOneof("value"):
                del node.attr[key]
    if found:
        value = rng.choice(found)
        value.s = rng.choice((b"SAME", b"VALID") if value.s in (b"SAME", b"VALID") else (b"NHWC", b"NCHW"))


def _scalar(rng, graph_def):
    found = [node.attr[key] for node in _nodes(graph_def) for key in sorted(node.attr)]
    found = [value for value in found if value.WhichOneof("value") in ("b", "i", "f")]
    if found:
        value = rng.choice(found)
        kind = value.WhichOneof("value")
        if kind == "b":
            value.b = not value.b
        elif kind == "i":
            value.i = rng.choice(_SIZES)
        else:
            value.f = rng.choice(_NUMBERS)


def _rewire(rng, graph_def):
    """An input reads another node that comes earlier, or another output."""
    number = rng.randrange(len(graph_def.node))
    node = graph_def.node[number]
    if node.input and number:
        source = graph_def.node[rng.randrange(number)].name
        node.input[rng.randrange(len(node.input))] = source + rng.choice(("", "", "", ":1"))


def _constants(graph_def):
    return [node for node in _nodes(graph_def) if node.op == "Const"]


def _value(rng, graph_def):
    constants = _constants(graph_def)
    if not constants:
        return
    node = rng.choice(constants)
    values = np.array(tensor_util.MakeNdarray(node.attr["value"].tensor))
    if values.dtype.kind not in "iuf" or not values.size:
        return
    choices = _NUMBERS if values.dtype.kind == "f" else _SIZES
    if rng.random() < 0.3:
        values[...] = rng.choice(choices)
    else:
        values.reshape(-1)[rng.randrange(values.size)] = rng.choice(choices)
    _set(node, values)


def _shape(rng, graph_def):
    constants = _constants(graph_def)
    if constants:
        node = rng.choice(constants)
        values = np.array(tensor_util.MakeNdarray(node.attr["value"].tensor))
        sizes = [*values.shape, *rng.choice(([], [], [1], [1, 1]))]
        rng.shuffle(sizes)
        choice = rng.random()
        if choice < 0.2 and values.ndim:
            values = values[: rng.randrange(len(values) + 1)]
        elif choice < 0.3:
            values = values.reshape(-1)
        else:
            values = values.reshape(sizes)
        _set(node, values)


def _set(node, values):
    node.attr["value"].tensor.CopyFrom(
        tensor_util.make_tensor_proto(values, tf.as_dtype(node.attr["dtype"].type), values.shape)
    )


def _op(rng, graph_def):
    found = [(node, group) for node in _nodes(graph_def) for group in _LIKE if node.op in group]
    if found:
        node, group = rng.choice(found)
        node.op = rng.choice(group)


def _splice(rng, graph_def):
    """A node on an edge."""
    number = rng.randrange(len(graph_def.node))
    node = graph_def.node[number]
    places = [place for place, name in enumerate(node.input) if not name.startswith("^")]
    if not places:
        return
    place = rng.choice(places)
    op = rng.choice(_SPLICED)
    source = node.input[place]
    name = "spliced%d" % len(graph_def.node)
    operand = graph_def.node.add(name=name + "/operand", op="Const")
    values = rng.choice(([0, 3, 1, 2], [-1], [1, 1, 1, 1], [0], [[1, 1]] * 4, [2, 1, 1, 1], [0, 2, 3, 1]))
    operand.attr["dtype"].type = tf.int32.as_datatype_enum
    operand.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(np.array(values, np.int32)))
    added = graph_def.node.add(name=name, op=op, input=[source])
    added.attr["T"].type = tf.float32.as_datatype_enum
    if op == "BiasAdd" or op in _OPERAND:
        added.input.append(operand.name)
        if op in _OPERAND:
            added.attr[_OPERAND[op]].type = tf.int32.as_datatype_enum
    node.input[place] = name


def _placeholder(rng, graph_def):
    found = [node for node in graph_def.node if node.op.startswith("Placeholder") and node.attr["shape"].shape.dim]
    if found:
        dims = rng.choice(found).attr["shape"].shape.dim
        if rng.random() < 0.7:
            rng.choice(dims).size = rng.choice(_SIZES)
        else:
            del dims[rng.randrange(len(dims)) :]


def _control(rng, graph_def):
    number = rng.randrange(len(graph_def.node))
    graph_def.node[number].input.append("^" + graph_def.node[rng.randrange(number + 1)].name)


_CHANGES = (_list, _length, _text, _scalar, _rewire, _rewire, _value, _shape, _shape, _op, _op, _splice, _splice)
_CHANGES += (_placeholder, _control)
