"""A SavedModel as TensorFlow 1 has it: the graph itself, and a signature that names its tensors.

Every TensorFlow and TensorFlow Serving load it. It has no functions to call, and so nothing but its signatures.
"""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

from intel_quantization.graph.io import write_atomically
from intel_quantization.reading.call import Call
from intel_quantization.writing.tensor_infos import SignatureInfos

FILE = "saved_model.pb"
PREDICT = "tensorflow/serving/predict"
_SCHEMA = 1
_SERVE = "serve"


def save_first_form(
    graph_def: graph_pb2.GraphDef, call: Call, infos: SignatureInfos, others: tuple[Any, ...], folder: str
) -> None:
    """Write a SavedModel without variables; the same bytes for the same graph.

    Args:
        graph_def: frozen.
        call: how it is called.
        infos: what the signature says.
        others: names of further signatures that are called the same.
        folder: where; exists.

    Raises:
        OutputError: it cannot be written.
    """
    model = saved_model_pb2.SavedModel(saved_model_schema_version=_SCHEMA)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append(_SERVE)
    meta.meta_info_def.tensorflow_version = tf.__version__
    meta.graph_def.CopyFrom(graph_def)
    for name in (call.signature, *others):
        definition = meta.signature_def[name]
        definition.method_name = (call.definition is not None and call.definition.method_name) or PREDICT
        for mine, given in ((definition.inputs, infos.inputs), (definition.outputs, infos.outputs)):
            for key, info in given.items():
                mine[key].CopyFrom(info)
    write_atomically(os.path.join(folder, FILE), model.SerializeToString(deterministic=True))
