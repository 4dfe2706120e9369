"""Damage, deterministic in a random generator: of bytes, and of the fields of graphs."""

from __future__ import annotations

import copy
import json
import random
import zlib

from google.protobuf.message import Message
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2

NUMBERS = (0, 1, -1, 2, 3, 7, 255, 2**31 - 1, -(2**31), 2**32, 2**62, -(2**63), 10**6)
TEXTS = (b"", b"x", b"SAME", b"NCHW", b"NHWC", b"VALID", b"EXPLICIT", b"\xff\xfe", b"loc:@c", b"file:///dev/null")
NAMES = ("", "out", "nothing", "^out", "out:1", "out:99999999999999999999", "c:x", "a b", "input", ":", "^", "-")


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    """One to eight bits."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if result:
            place = rng.randrange(len(result) * 8)
            result[place // 8] ^= 1 << place % 8
    return bytes(result)


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """Some bytes replaced, removed, or repeated."""
    start = rng.randrange(len(data) + 1)
    length = rng.choice((1, 1, 2, 4, 8, 64, 1000))
    inserted = rng.choice((b"", bytes(length), b"\xff" * length, data[start : start + length] * 2, b"9" * length))
    return data[:start] + inserted + data[start + rng.choice((0, length)) :]


def cut(rng: random.Random, data: bytes) -> bytes:
    """The beginning."""
    return data[: rng.randrange(len(data) + 1)]


def damage(rng: random.Random, data: bytes) -> bytes:
    """Bytes changed, or where they are JSON or words apart by null bytes, mostly values and words of it."""
    if rng.random() < 0.6:
        if data[:1] in (b"{", b"["):
            if rng.random() < 0.01:
                return b"[" * 100_000
            return json.dumps(_change_value(rng, json.loads(data)), ensure_ascii=rng.random() < 0.5).encode(
                "utf-8", "surrogatepass"
            )
        if b"\0" in data[1:] and data[:1] == b"-":
            return b"\0".join(_change_words(rng, data.split(b"\0")))
    return rng.choice((flip_bits, flip_bits, change_bytes, cut))(rng, data)


_VALUES = (
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x" * 300,
    "\0",
    "../x",
    "/etc",
    [],
    {},
)
_VALUES += (["a"], {"a": 1}, "{}", "'", "\ud800", "\x1b[2J", [[[[]]]], 2**63, -(2**31), "²", "1e5", "ü")


def _change_value(rng: random.Random, value):
    """A JSON value with one of its parts replaced, left out, or put elsewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        choice = rng.random()
        if choice < 0.1:
            del value[key]
        elif choice < 0.2:
            value[rng.choice((key + "x", *value))] = value.pop(key)
        else:
            value[key] = _change_value(rng, value[key])
        return value
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        value[place : place + 1] = rng.choice(([], [value[place]] * 2, [_change_value(rng, value[place])]))
        return value
    return copy.deepcopy(rng.choice(_VALUES))


_WORDS = (b"", b"-", b"--", b"=", b"-1", b"0", b"1e99", b"99999999999999999999", b"nan", b"inf", b"\xff", b"a" * 5000)
_WORDS += (
    b"--help",
    b"-g",
    b"-o",
    b"../x",
    b"/proc/self/mem",
    b"/dev/null",
    b"a\nb",
    b"\x1b[2J",
    "²".encode(),
    b"1:1:1",
)


def _change_words(rng: random.Random, words: list) -> list:
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(words)) if words else 0
        words[place : place + 1] = rng.choice(
            (
                [],
                [rng.choice(_WORDS)],
                words[place : place + 1] * 2,
                [words[place] + rng.choice(_WORDS)] if words else [],
            )
        )
    return words


def change_fields(rng: random.Random, graph_def: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """A graph that parses, with one to three of its fields changed."""
    result = graph_pb2.GraphDef()
    result.CopyFrom(graph_def)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, result)
    return result


def _nodes(graph_def: graph_pb2.GraphDef) -> list[node_def_pb2.NodeDef]:
    nodes = list(graph_def.node)
    for function in graph_def.library.function:
        nodes += function.node_def
    return nodes


def _node(rng: random.Random, graph_def: graph_pb2.GraphDef) -> node_def_pb2.NodeDef:
    nodes = _nodes(graph_def)
    return rng.choice(nodes) if nodes else graph_def.node.add()


def _drop_attribute(rng, graph_def):
    node = _node(rng, graph_def)
    if node.attr:
        del node.attr[rng.choice(sorted(node.attr))]


def _change_attribute(rng, graph_def):
    node = _node(rng, graph_def)
    if node.attr:
        _scramble(rng, node.attr[rng.choice(sorted(node.attr))])


def _swap_attributes(rng, graph_def):
    one, other = _node(rng, graph_def), _node(rng, graph_def)
    if one.attr and other.attr:
        one.attr[rng.choice(sorted(one.attr))].CopyFrom(other.attr[rng.choice(sorted(other.attr))])


def _change_input(rng, graph_def):
    node = _node(rng, graph_def)
    if node.input:
        names = [item.name for item in _nodes(graph_def)]
        node.input[rng.randrange(len(node.input))] = rng.choice(names * 2 + list(NAMES))


def _drop_input(rng, graph_def):
    node = _node(rng, graph_def)
    if node.input:
        del node.input[rng.randrange(len(node.input))]


def _add_input(rng, graph_def):
    _node(rng, graph_def).input.append(rng.choice([item.name for item in _nodes(graph_def)] + list(NAMES)))


def _change_op(rng, graph_def):
    ops = [item.op for item in _nodes(graph_def)]
    _node(rng, graph_def).op = rng.choice(
        ops + ["Identity", "Const", "Placeholder", "NoOp", "Switch", "Merge", "Nobody"]
    )


def _change_name(rng, graph_def):
    _node(rng, graph_def).name = rng.choice([item.name for item in _nodes(graph_def)] + list(NAMES))


def _drop_node(rng, graph_def):
    if graph_def.node:
        del graph_def.node[rng.randrange(len(graph_def.node))]


def _repeat_node(rng, graph_def):
    graph_def.node.add().CopyFrom(_node(rng, graph_def))


def _change_constant(rng, graph_def):
    constants = [item for item in _nodes(graph_def) if item.op == "Const"]
    if not constants:
        return
    tensor = rng.choice(constants).attr["value"].tensor
    if rng.random() < 0.3 and tensor.tensor_content:
        tensor.tensor_content = change_bytes(rng, tensor.tensor_content)
    elif tensor.tensor_shape.dim and rng.random() < 0.7:
        rng.choice(tensor.tensor_shape.dim).size = rng.choice(NUMBERS)
    else:
        _scramble(rng, tensor)


def _reshape_constant(rng, graph_def):
    """Another shape of as many values: valid for the constant, maybe not for its readers."""
    constants = [item for item in _nodes(graph_def) if item.op == "Const"]
    if constants:
        shape = rng.choice(constants).attr["value"].tensor.tensor_shape
        sizes = [dim.size for dim in shape.dim]
        rng.shuffle(sizes)
        extra = rng.choice(([], [1], [1, 1, 1]))
        del shape.dim[:]
        for size in sizes + extra:
            shape.dim.add(size=size)


def _change_library(rng, graph_def):
    if graph_def.library.function:
        function = rng.choice(graph_def.library.function)
        choice = rng.random()
        if choice < 0.3 and function.ret:
            function.ret[rng.choice(sorted(function.ret))] = rng.choice(NAMES)
        elif choice < 0.6 and function.signature.input_arg:
            _scramble(rng, rng.choice(function.signature.input_arg))
        elif choice < 0.8:
            function.signature.name = rng.choice([item.signature.name for item in graph_def.library.function] + ["x"])
        else:
            _scramble(rng, function.signature)


_CHANGES = (
    _drop_attribute,
    _change_attribute,
    _change_attribute,
    _swap_attributes,
    _change_input,
    _drop_input,
    _add_input,
) + (_change_op, _change_name, _drop_node, _repeat_node, _change_constant, _reshape_constant, _change_library)


def _scramble(rng: random.Random, message: Message) -> None:
    """Change one field somewhere in a message."""
    fields = message.ListFields() or [(field, None) for field in message.DESCRIPTOR.fields]
    field, value = rng.choice(fields) if rng.random() < 0.8 else (rng.choice(message.DESCRIPTOR.fields), None)
    current = getattr(message, field.name)
    if hasattr(current, "add") and field.message_type is not None:
        if len(current) and rng.random() < 0.8:
            _scramble(rng, rng.choice(list(current)))
        else:
            current.add()
    elif field.message_type is not None:
        if not hasattr(current, "CopyFrom"):
            return  # a map
        _scramble(rng, current)
        current.SetInParent()
    elif hasattr(current, "append"):
        if len(current) and rng.random() < 0.4:
            del current[rng.randrange(len(current))]
        else:
            current.append(_scalar(rng, field))
    else:
        setattr(message, field.name, _scalar(rng, field))
    del value


def _scalar(rng: random.Random, field):
    if field.enum_type is not None:
        return rng.choice([*types_pb2.DataType.values(), 77, 9999])
    kind = field.cpp_type
    if kind == field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
    if kind == field.CPPTYPE_STRING:
        return rng.choice(TEXTS) if field.type == field.TYPE_BYTES else rng.choice(NAMES)
    low = 0 if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64) else -(2**63)
    high = 2**31 - 1 if kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 2**63 - 1
    return rng.choice([number for number in NUMBERS if max(low, -high - 1) <= number <= high])


def generator(*parts: object) -> random.Random:
    """A generator that its parts determine, in every process."""
    return random.Random(zlib.crc32(repr(parts).encode()))
