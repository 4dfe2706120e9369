"""What ``intel_quantization.util`` gave in 1.1; new programs take ``graph.io`` and ``reading.load``."""

from __future__ import annotations

import os
from typing import Set

from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import io, tensors
from intel_quantization.reading.load import read_any

__all__ = ["read_graph", "split_shared_inputs", "write_graph"]


def read_graph(in_graph: str, in_graph_is_binary: bool = True) -> graph_pb2.GraphDef:
    """The GraphDef in a file, or in any other form that ``--in_graph`` may have.

    Raises:
        BadInputError: it does not exist or cannot be read.
    """
    return read_any(in_graph, binary=in_graph_is_binary)[0].graph_def


def write_graph(out_graph_def: graph_pb2.GraphDef, out_graph_file: str) -> None:
    """Write a GraphDef in binary form, whole or not at all.

    Raises:
        BadInputError: it is no GraphDef, or the file's directory does not exist.
        QuantizationError: it has over 2 GB, or cannot be written.
    """
    if not isinstance(out_graph_def, graph_pb2.GraphDef):
        raise BadInputError("out_graph_def is a %s, no GraphDef" % type(out_graph_def).__name__, "give a GraphDef")
    directory = os.path.dirname(os.path.abspath(out_graph_file))
    if not os.path.isdir(directory):
        raise BadInputError("the output graph's directory %s does not exist" % directory, "create it first")
    io.write_graph(out_graph_def, out_graph_file)


def split_shared_inputs(in_graph: str, ops: tuple[str, ...] = ()) -> str:
    """Give each node of some ops constants of its own; GraphConverter needs no such graph.

    Args:
        in_graph: path of the graph.
        ops: op names, such as ``["Conv2D"]``.

    Returns:
        ``in_graph`` where ``ops`` is empty, else the path of the new graph, ``frozen_inference_graph_rewrite.pb``
        beside it. The second node to read a constant reads a copy named ``<constant>_2``, and so on.

    Raises:
        BadInputError: the graph cannot be read.
        QuantizationError: the new graph cannot be written.
    """
    if not ops:
        return in_graph
    graph_def = read_graph(in_graph)
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    names = {node.name for node in graph_def.node}
    taken: Set[str] = set()
    for node in [item for item in graph_def.node if item.op in ops]:
        for number, item in enumerate(node.input):
            source = tensors.node_of(item)
            if tensors.is_control(item) or source not in constants:
                continue
            if source in taken:
                copy = graph_def.node.add()
                copy.CopyFrom(constants[source])
                copy.name = _find_free(source, names)
                node.input[number] = copy.name
            taken.add(source)
    path = os.path.join(os.path.dirname(in_graph), "frozen_inference_graph_rewrite.pb")
    io.write_graph(graph_def, path)
    return path


def _find_free(stem: str, names: Set[str]) -> str:
    number = 2
    while "%s_%d" % (stem, number) in names:
        number += 1
    name = "%s_%d" % (stem, number)
    names.add(name)
    return name
