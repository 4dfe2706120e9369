"""The value of a Const, and the way it takes to a reader."""

from __future__ import annotations

from typing import Dict, List, Tuple

import numpy as np
from tensorflow.core.framework import node_def_pb2, types_pb2
from tensorflow.python.framework import tensor_util

from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, SWITCH

# Types whose bytes are those of a numpy array, on the little-endian machines that TensorFlow runs on.
_PLAIN = {
    types_pb2.DT_FLOAT: np.float32,
    types_pb2.DT_DOUBLE: np.float64,
    types_pb2.DT_INT32: np.int32,
    types_pb2.DT_INT64: np.int64,
}


def constant_value(node: node_def_pb2.NodeDef) -> np.ndarray:
    """The value of a Const; not to be written into.

    Large values come without the two more copies that ``tensor_util.MakeNdarray`` makes.
    """
    proto = node.attr["value"].tensor
    dtype = _PLAIN.get(proto.dtype)
    content = proto.tensor_content
    if dtype is None or not content:
        return tensor_util.MakeNdarray(proto)
    return np.frombuffer(content, dtype).reshape([dim.size for dim in proto.tensor_shape.dim])


def constant_chain(nodes: Dict[str, node_def_pb2.NodeDef], tensor: str) -> List[Tuple[node_def_pb2.NodeDef, int]]:
    """The nodes through which a constant comes to its readers, from the reader's side, the Const last.

    That is a Const, also behind Identity, behind the Enter that brings a constant into a loop, and behind
    the Switch that brings it into a branch.

    Args:
        nodes: all of the graph, by name.
        tensor: what is read.

    Returns:
        Pairs of a node and the index of its output; none if the tensor is no constant.
    """
    name, index = tensors.split(tensor)
    node = nodes.get(name)
    chain = []
    while node is not None:
        chain.append((node, index))
        if not _passes_on(node, index):
            return chain if node.op == "Const" and index == 0 else []
        name, index = tensors.split(node.input[0])
        node = nodes.get(name)
    return []


def _passes_on(node: node_def_pb2.NodeDef, index: int) -> bool:
    """Whether an output of a node, whenever there is one, is its first input."""
    return bool(node.input) and (node.op in SWITCH or (index == 0 and node.op in ("Identity", *ENTER)))
