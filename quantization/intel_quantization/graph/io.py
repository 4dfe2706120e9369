"""Frozen graphs on disk: read with errors a user understands, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile

from google.protobuf.message import DecodeError
from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.places import output_error

# protobuf serialises at most 2 GiB - 1 byte into one message
PROTOBUF_LIMIT = 2**31 - 1


def read_graph(path: str) -> graph_pb2.GraphDef:
    """Read a binary GraphDef.

    Args:
        path: a ``.pb`` file.

    Raises:
        BadInputError: it is missing, not a GraphDef, empty, or over 2 GB.
    """
    data = read_bytes(path)
    graph_def = graph_pb2.GraphDef()
    try:
        graph_def.ParseFromString(data)
    except (DecodeError, RuntimeError):  # RuntimeError: protobuf 3.8, as TensorFlow 1.15 uses it
        raise BadInputError(
            "%s is not a binary frozen graph (it does not parse as a GraphDef)" % path,
            "give a frozen .pb file, a text graph as .pbtxt, or a SavedModel folder; "
            "a truncated download looks like this, too",
        ) from None
    if not graph_def.node:
        raise BadInputError(
            "%s holds no graph node" % path,
            "give a frozen .pb file; a saved_model.pb is part of a SavedModel: give the folder that it is in",
        )
    return graph_def


def read_bytes(path: str) -> bytes:
    """All of a file.

    Raises:
        BadInputError: it cannot be read, or has over 2 GB.
    """
    try:
        check_size(os.path.getsize(path), path)
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadInputError("cannot read the graph %s: %s" % (path, error.strerror or error)) from error


def check_size(size: int, name: str) -> None:
    """Refuse a graph of more bytes than protobuf reads.

    Raises:
        BadInputError: it has more.
    """
    if size > PROTOBUF_LIMIT:
        raise BadInputError(
            "%s: %d bytes; protobuf reads at most 2 GB" % (name, size),
            "split the model",
        )


def graph_size(graph_def: graph_pb2.GraphDef) -> int:
    """The size in bytes that a GraphDef has on disk."""
    return int(graph_def.ByteSize())


def fingerprint(graph_def: graph_pb2.GraphDef) -> str:
    """A SHA-256 of a graph, hexadecimal; node by node, as a copy of all of it would take as much memory again."""
    digest = hashlib.sha256()
    for part in (graph_def.versions, graph_def.library, *graph_def.node):
        data = part.SerializeToString(deterministic=True)
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def write_graph(graph_def: graph_pb2.GraphDef, path: str) -> None:
    """Write a GraphDef, deterministic to the byte; the file appears complete or not at all.

    Raises:
        QuantizationError: it exceeds 2 GB.
        OutputError: it cannot be written there.
    """
    size = graph_size(graph_def)
    if size > PROTOBUF_LIMIT:
        raise QuantizationError("the graph has %d bytes; protobuf writes at most 2 GB" % size)
    write_atomically(path, graph_def.SerializeToString(deterministic=True))


def write_atomically(path: str, data: bytes) -> None:
    """Write a file under a temporary name beside its place, then move it there.

    Raises:
        OutputError: the directory cannot be written, or the disk is full.
    """
    directory = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        os.makedirs(directory, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=directory)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = ""
    except OSError as error:
        raise output_error(OSError(error.errno, error.strerror or str(error)), path) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
