"""Take the large weights out of a graph, so that a session is fed them instead of holding copies of them.

TensorFlow serialises a graph to import it, and keeps it several times over: as nodes, for the
executor, as tensors, and reordered for oneDNN. What is fed stays where it is. A graph without its
weights is also far from protobuf's limit of 2 GB, whatever is added to it.
"""

from __future__ import annotations

from typing import Dict, Tuple

import numpy as np
from tensorflow.core.framework import graph_pb2, node_def_pb2

from intel_quantization.graph.attributes import DT_FLOAT

# Below that it is not worth the time that a feed takes.
_SMALLEST = 64 * 1024
# TensorFlow copies what it is fed unless it begins at a multiple of Eigen's alignment, at most 64 bytes.
_ALIGNMENT = 64


def feed_weights(graph_def: graph_pb2.GraphDef) -> Tuple[graph_pb2.GraphDef, Dict[str, np.ndarray]]:
    """Replace the large float32 constants of a graph by placeholders.

    oneDNN reorders weights that are fed in every run, not once; batches of some images make up for that.
    A constant with control inputs may belong to a loop, where nothing can be fed; it stays.

    Args:
        graph_def: left as it is.

    Returns:
        The graph without them, and what to feed: tensor name -> array.
    """
    result = graph_pb2.GraphDef()
    result.versions.CopyFrom(graph_def.versions)
    result.library.CopyFrom(graph_def.library)
    feeds: Dict[str, np.ndarray] = {}
    for node in graph_def.node:
        if _is_large(node):
            proto = node.attr["value"].tensor
            placeholder = result.node.add(name=node.name, op="Placeholder", device=node.device)
            placeholder.attr["dtype"].type = DT_FLOAT
            placeholder.attr["shape"].shape.CopyFrom(proto.tensor_shape)
            shape = [dim.size for dim in proto.tensor_shape.dim]
            feeds[node.name + ":0"] = _align(np.frombuffer(proto.tensor_content, np.float32).reshape(shape))
        else:
            result.node.add().CopyFrom(node)
    return result, feeds


def _is_large(node: node_def_pb2.NodeDef) -> bool:
    if node.op != "Const" or node.input or node.attr["dtype"].type != DT_FLOAT:
        return False
    proto = node.attr["value"].tensor
    size = 4
    for dim in proto.tensor_shape.dim:
        size *= dim.size
    return size >= _SMALLEST and len(proto.tensor_content) == size


def _align(values: np.ndarray) -> np.ndarray:
    memory = np.empty(values.nbytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    result = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    result[...] = values
    return result
