"""Text graphs (``.pbtxt``): a GraphDef in protobuf's text form."""

from __future__ import annotations

from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import check_size, read_bytes

_HEAD = 4096
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r")


def looks_like_text(path: str) -> bool:
    """Whether a file begins with text; a binary graph has control characters from its second byte on."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False  # reading says why
    return b"node" in head and not _CONTROL.intersection(head)


def read_text_graph(path: str) -> graph_pb2.GraphDef:
    """Read a GraphDef in text form.

    Raises:
        BadInputError: it is missing, no text of a GraphDef (with line and column), empty, or over 2 GB.
    """
    data = read_bytes(path)
    graph_def = graph_pb2.GraphDef()
    try:
        text_format.Parse(data.decode("utf-8"), graph_def)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        remedy = "give a GraphDef in text form; a binary one ends in .pb"
        raise BadInputError("%s is not a text graph: %s" % (path, str(error).splitlines()[0]), remedy) from None
    except RecursionError:
        raise BadInputError("%s is not a text graph: it is nested too deep" % path, "write it anew") from None
    if not graph_def.node:
        raise BadInputError("%s holds no graph node" % path, "give a GraphDef in text form")
    check_size(int(graph_def.ByteSize()), path)
    return graph_def
