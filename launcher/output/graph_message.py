"""Whether a file is a GraphDef or a SavedModel, told by protobuf's wire format alone, as there is no TensorFlow here.

What a message holds is of no concern, only that its fields are where and what they have to be: a
graph has nodes, a node has a name and an op, and nothing reaches beyond its end.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NODE, _LIBRARY, _OLD_VERSION, _VERSIONS = 1, 2, 3, 4
_GRAPH = {_NODE: _BYTES, _LIBRARY: _BYTES, _OLD_VERSION: _VARINT, _VERSIONS: _BYTES}
_NAME, _OP, _INPUT, _DEVICE, _ATTRIBUTE = 1, 2, 3, 4, 5
_NODE_FIELDS = dict.fromkeys((_NAME, _OP, _INPUT, _DEVICE, _ATTRIBUTE), _BYTES)
_SCHEMA, _META = 1, 2
_MODEL = {_SCHEMA: _VARINT, _META: _BYTES}
_META_FIELDS = dict.fromkeys(range(1, 8), _BYTES)
_GRAPH_DEF = 2
_LONGEST_VARINT = 10


class _DamagedError(ValueError):
    """The bytes are no such message."""


@dataclass(frozen=True)
class _Field:
    """A field: its number, and where its content begins and ends, for a number its own bytes."""

    number: int
    begin: int
    end: int


def complaint(descriptor: int) -> str:
    """Why a regular file is no GraphDef with at least one node; empty where it is one.

    Args:
        descriptor: of the file, open for reading.
    """
    return _read_mapped(descriptor, _check_graph)


def complaint_of_saved_model(descriptor: int) -> str:
    """Why a regular file is no SavedModel with a graph of at least one node; empty where it is one.

    Args:
        descriptor: of the file, open for reading.
    """
    return _read_mapped(descriptor, _check_saved_model)


def _read_mapped(descriptor: int, check: Callable[[mmap.mmap, int, int], None]) -> str:
    try:
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
            check(data, 0, len(data))
    except ValueError as error:  # nothing to map: an empty file
        return str(error)
    return ""


def _check_saved_model(data: mmap.mmap, begin: int, end: int) -> None:
    graphs = 0
    for field in _walk_fields(data, begin, end, _MODEL):
        if field.number == _META:
            for part in _walk_fields(data, field.begin, field.end, _META_FIELDS):
                if part.number == _GRAPH_DEF:
                    graphs += 1
                    _check_graph(data, part.begin, part.end)
    if not graphs:
        raise _DamagedError("there is no graph in it")


def _check_graph(data: mmap.mmap, begin: int, end: int) -> None:
    nodes = 0
    try:
        for field in _walk_fields(data, begin, end, _GRAPH):
            if field.number == _NODE:
                nodes += 1
                _check_node(data, field)
    except _DamagedError as error:
        raise _DamagedError(f"{error} (behind {nodes} nodes)") from None
    if not nodes:
        raise _DamagedError("there is no node in it")


def _check_node(data: mmap.mmap, node: _Field) -> None:
    found = {}
    for field in _walk_fields(data, node.begin, node.end, _NODE_FIELDS):
        if field.number in (_NAME, _OP):
            found[field.number] = data[field.begin : field.end]
    for number, what in ((_NAME, "name"), (_OP, "op")):
        text = found.get(number, b"")
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            raise _DamagedError(f"the {what} of a node is no text") from None
        if not text:
            raise _DamagedError(f"a node has no {what}")


def _walk_fields(data: mmap.mmap, begin: int, end: int, known: dict[int, int]) -> Iterator[_Field]:
    """The fields of a message; what is known must be of its wire type, others only whole."""
    position = begin
    while position < end:
        key, position = _read_varint(data, position, end)
        number, kind = key >> 3, key & 7
        if not number or known.get(number, kind) != kind:
            raise _DamagedError(f"a field {number} of wire type {kind} has no place there")
        start = position
        if kind == _VARINT:
            _, position = _read_varint(data, position, end)
        elif kind == _BYTES:
            length, start = _read_varint(data, position, end)
            position = start + length
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise _DamagedError(f"there is no wire type {kind}")
        if position > end:
            raise _DamagedError("a field reaches beyond the end")
        yield _Field(number, start, position)


def _read_varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """A number, and where the next thing begins."""
    value = 0
    for shift in range(0, 7 * _LONGEST_VARINT, 7):
        if position >= end:
            raise _DamagedError("it is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _DamagedError("a number does not end")
