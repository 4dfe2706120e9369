"""The files that a SavedModel brings along, and the tables that are filled from them when it is loaded.

To read a vocabulary of one's own is no more than to read one's weights.
"""

from __future__ import annotations

import os
from typing import Iterable, List, Set

from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from intel_quantization.graph import tensors

_FILLING = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
_ASSET = "asset"


def without_filling(
    nodes: Iterable[node_def_pb2.NodeDef], own: Set[str], identities: bool = False
) -> List[node_def_pb2.NodeDef]:
    """The nodes but those that fill a table from a file of the SavedModel itself.

    Args:
        nodes: of a graph, or of a function.
        own: names of the nodes or arguments that hold the path of such a file.
        identities: whether a path may come through an Identity.
    """
    nodes = list(nodes)
    known = {node.name: node for node in nodes} if identities else {}

    def is_own(name: str) -> bool:
        seen: Set[str] = set()
        name = tensors.node_of(name)
        while name not in own and name in known and known[name].op == "Identity" and name not in seen:
            seen.add(name)
            name = tensors.node_of(known[name].input[0])
        return name in own

    return [node for node in nodes if node.op not in _FILLING or len(node.input) < 2 or not is_own(node.input[1])]


def asset_arguments(meta: meta_graph_pb2.MetaGraphDef, function: function_pb2.FunctionDef) -> Set[str]:
    """Which arguments of a function are paths of assets, where TensorFlow 2 calls it when it loads the SavedModel."""
    concrete = meta.object_graph_def.concrete_functions
    name = function.signature.name
    if name not in concrete:
        return set()
    bound = list(concrete[name].bound_inputs)
    arguments = [arg.name for arg in function.signature.input_arg]
    if len(bound) != len(arguments):  # then some are given by a caller
        return set()
    return {argument for argument, number in zip(arguments, bound) if _is_asset(meta, number)}


def asset_tensors(meta: meta_graph_pb2.MetaGraphDef) -> Set[str]:
    """The nodes that hold the paths of assets, where a session loads the SavedModel."""
    return {tensors.node_of(item.tensor_info.name) for item in meta.asset_file_def if _is_plain(item.filename)}


def _is_asset(meta: meta_graph_pb2.MetaGraphDef, number: int) -> bool:
    objects = meta.object_graph_def.nodes
    if not 0 <= number < len(objects) or objects[number].WhichOneof("kind") != _ASSET:
        return False
    index = objects[number].asset.asset_file_def_index
    return 0 <= index < len(meta.asset_file_def) and _is_plain(meta.asset_file_def[index].filename)


def _is_plain(name: str) -> bool:
    """Whether it stays in the folder of assets."""
    return os.path.basename(name) == name and name not in ("", ".", "..")
