"""What a signature says of its tensors: names, types and shapes, those of the graph that was read."""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Optional, Sequence

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from intel_quantization.conversion import Conversion
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.reading.interface import TensorInfo

Infos = Dict[str, meta_graph_pb2.TensorInfo]
"""By the names of a signature, in the order of a positional call; each names the tensor in the INT8 graph."""


class SignatureInfos(NamedTuple):
    """The two halves of a signature."""

    inputs: Infos
    outputs: Infos


def signature_infos(conversion: Conversion) -> SignatureInfos:
    """What is said of the INT8 graph's tensors: what the SavedModel said that was read, else what the graph tells.

    The INT8 graph's own shapes would do for most outputs, but its ops infer less than those of FP32.
    """
    call, definition = conversion.call, conversion.call.definition
    infer = InferredShapes(Graph(conversion.input_graph))
    said_inputs = {} if definition is None else definition.inputs
    said_outputs = {} if definition is None else definition.outputs
    shapes = {info.name: info.shape for info in conversion.inputs}
    wanted = {info.name: infer(info.name) for info in conversion.outputs}
    return SignatureInfos(
        _make_infos(call.inputs, said_inputs, conversion.inputs, shapes),
        _make_infos(call.outputs, said_outputs, conversion.outputs, wanted),
    )


def tensor_spec(name: str, info: meta_graph_pb2.TensorInfo) -> tf.TensorSpec:
    """The same, as functions take it."""
    return tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype), name)


def _make_infos(
    names: Mapping[str, str],
    said: Mapping[str, meta_graph_pb2.TensorInfo],
    tensors: Sequence[TensorInfo],
    shapes: Mapping[str, Optional[Sequence[Optional[int]]]],
) -> Infos:
    types = {info.name: info.dtype for info in tensors}
    found: Infos = {}
    for key, tensor in names.items():
        info = meta_graph_pb2.TensorInfo(name=tensor)
        if key in said:
            info.dtype = said[key].dtype
            info.tensor_shape.CopyFrom(said[key].tensor_shape)
        else:
            info.dtype = tf.as_dtype(types[tensor]).as_datatype_enum
            info.tensor_shape.CopyFrom(tf.TensorShape(shapes[tensor]).as_proto())
        found[key] = info
    return found
