"""The value of a Const."""

from __future__ import annotations

import numpy as np
from tensorflow.core.framework import node_def_pb2, types_pb2
from tensorflow.python.framework import tensor_util

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
