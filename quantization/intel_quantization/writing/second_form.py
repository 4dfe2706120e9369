"""A SavedModel as TensorFlow 2 has it: functions, and signatures that call them."""

from __future__ import annotations

import os
import shutil
from typing import Any, Dict, List, Sequence

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.eager import context

from intel_quantization.errors import OutputError
from intel_quantization.graph import tensors
from intel_quantization.reading.call import Call
from intel_quantization.reading.check_ops import needed_nodes
from intel_quantization.writing.conventions import Convention
from intel_quantization.writing.first_form import PREDICT
from intel_quantization.writing.other_signatures import Others
from intel_quantization.writing.same_bytes import make_same_bytes
from intel_quantization.writing.tensor_infos import SignatureInfos, tensor_spec


def save_second_form(
    graph_def: graph_pb2.GraphDef,
    call: Call,
    infos: SignatureInfos,
    others: Others,
    convention: Convention | None,
    folder: str,
) -> None:
    """Write a SavedModel; the same bytes for the same graph.

    Args:
        graph_def: frozen, the INT8 graph.
        call: how it is called.
        infos: what the signature says.
        others: the other signatures.
        convention: how the model itself is called, as its ``__call__`` and as ``serve``, which is what Keras calls its
            own; None: it has signatures alone.
        folder: where; must not exist, or be empty.

    Raises:
        OutputError: it cannot be written.
    """
    with context.eager_mode():
        int8 = _int8_function(graph_def, call, infos)
        module = tf.Module()
        signatures: Dict[str, Any] = {call.signature: _make_signature(int8, infos)}
        if convention is not None:
            module = _make_callable(int8, convention, infos)
            module.serve = module.__call__
        if others.fp32 and others.loaded is not None:
            module.fp32 = others.loaded  # tracked: with its variables, tables and assets
            signatures.update((name, others.loaded.signatures[name]) for name in others.fp32)
        signatures.update((name, signatures[call.signature]) for name in others.same)
        try:
            tf.saved_model.save(module, folder, signatures=signatures)
        except (OSError, tf.errors.OpError) as error:
            raise OutputError("cannot write %s: %s" % (folder, error), "make room there") from error
    for name in ("assets", "debug"):
        if os.path.isdir(os.path.join(folder, name)) and not os.listdir(os.path.join(folder, name)):
            shutil.rmtree(os.path.join(folder, name))
    definition = meta_graph_pb2.SignatureDef(method_name=PREDICT if call.definition is None else "")
    if call.definition is not None:
        definition.method_name = call.definition.method_name or PREDICT
    for key, info in infos.inputs.items():
        definition.inputs[key].CopyFrom(info)
    for key, info in infos.outputs.items():
        definition.outputs[key].CopyFrom(info)
    make_same_bytes(folder, dict.fromkeys((call.signature, *others.same), definition))


def _int8_function(graph_def: graph_pb2.GraphDef, call: Call, infos: SignatureInfos) -> Any:
    """A concrete function: the inputs in the order of a call -> a list of the outputs."""
    fed, wanted = list(call.inputs.values()), list(call.outputs.values())
    body = _without_inputs(graph_def, fed, wanted)
    # placeholders of the names that the inputs had, which the body has not any longer
    nodes = [tensors.node_of(tensor) for tensor in fed]
    specs = [tensor_spec(node, info) for node, info in zip(nodes, infos.inputs.values())]
    inner = [tensor for tensor in wanted if tensor not in fed]

    def int8_graph(*args: Any) -> List[Any]:
        given = dict(zip(fed, args))
        found = tf.graph_util.import_graph_def(body, given, inner, name="") if body.node else []
        results = dict(zip(inner, found))
        outputs = [results[tensor] if tensor in results else tf.identity(given[tensor]) for tensor in wanted]
        for output, info in zip(outputs, infos.outputs.values()):
            output.set_shape(tf.TensorShape(info.tensor_shape))
        return outputs

    return tf.function(int8_graph, input_signature=specs).get_concrete_function()


def _without_inputs(graph_def: graph_pb2.GraphDef, fed: Sequence[str], wanted: Sequence[str]) -> graph_pb2.GraphDef:
    """The nodes between what is fed and what is wanted."""
    needed = needed_nodes(graph_def, fed, wanted)
    body = graph_pb2.GraphDef(library=graph_def.library, versions=graph_def.versions)
    body.node.extend(node for node in graph_def.node if node.name in needed)
    names = {tensors.node_of(tensor) for tensor in fed}
    for node in body.node:
        if any(tensors.is_control(name) and tensors.node_of(name) in names for name in node.input):
            kept = [name for name in node.input if not tensors.is_control(name) or tensors.node_of(name) not in names]
            node.input[:] = kept
    return body


def _make_signature(int8: Any, infos: SignatureInfos) -> Any:
    keys = list(infos.outputs)

    def int8_signature(*args: Any) -> Dict[str, Any]:
        return dict(zip(keys, int8(*args)))

    specs = [tensor_spec(key, info) for key, info in infos.inputs.items()]
    return tf.function(int8_signature, input_signature=specs)


def _make_callable(int8: Any, convention: Convention, infos: SignatureInfos) -> tf.Module:
    """A module that is called like the model that was read."""
    specs = {key: tensor_spec(key, info) for key, info in infos.inputs.items()}
    keys = list(infos.inputs)

    def answer(inputs: Any) -> Any:
        given = convention.flat_inputs(inputs)
        return convention.packed_outputs(dict(zip(infos.outputs, int8(*(given[key] for key in keys)))))

    class Int8Model(tf.Module):  # type: ignore[misc] # TensorFlow has no types
        @tf.function(input_signature=[convention.packed_inputs(specs)])  # type: ignore[untyped-decorator]
        def __call__(self, inputs: Any, training: bool = False) -> Any:
            return answer(inputs)

    return Int8Model()
