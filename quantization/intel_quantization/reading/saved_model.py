"""SavedModel folders, of TensorFlow 1 and 2, frozen: one of their signatures becomes a graph without variables."""

from __future__ import annotations

import os
from typing import Any, Collection, Dict, List, Sequence, Tuple

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import check_size, read_bytes
from intel_quantization.graph.session import first_line
from intel_quantization.reading.freeze_function import Frozen, freeze_function
from intel_quantization.reading.saved_model_check import check_second, prepared_first

_BINARY, _TEXT = "saved_model.pb", "saved_model.pbtxt"
_DEFAULT = "serving_default"
INTERNAL = ("__saved_model_init_op", "__saved_model_train_op")
"""Signatures that nobody calls."""
# IndexError is what TensorFlow makes of a file that is too short
_FAILURES = (ValueError, TypeError, LookupError, AttributeError, OSError, RuntimeError, DecodeError, tf.errors.OpError)


def is_saved_model(path: str) -> bool:
    """Whether a folder holds a SavedModel."""
    return any(os.path.isfile(os.path.join(path, name)) for name in (_BINARY, _TEXT))


def freeze_saved_model(
    path: str, signature: str = "", outputs: Sequence[str] = (), allow_op: Collection[str] = ()
) -> Frozen:
    """Read a SavedModel and freeze one signature of it.

    Args:
        path: the folder with ``saved_model.pb``.
        signature: which signature; empty: ``serving_default``, or the only one.
        outputs: what the user wants as outputs, names of the signature or of tensors; only needed where the
            SavedModel has no signature.
        allow_op: ops that may run although they touch files, processes or the network.

    Raises:
        BadInputError: it is damaged, has no such signature, has over 2 GB of variables, or cannot be frozen; loading
            it would do more than restore its variables.
    """
    meta = read_meta_graph(path)
    check_size(_bytes_of_variables(path), "the variables of %s" % path)
    name = _choose(path, meta, signature)
    try:
        if meta.HasField("object_graph_def"):
            frozen = _freeze_second(path, meta, name, allow_op)
        else:
            frozen = _freeze_first(path, meta, name, outputs, allow_op)
    except BadInputError:
        raise
    except _FAILURES as error:
        raise BadInputError(
            "TensorFlow %s cannot freeze the SavedModel %s: %s" % (tf.__version__, path, first_line(error)),
            "it may need another version of TensorFlow, or ops that are not part of it",
        ) from error
    check_size(int(frozen.graph_def.ByteSize()), path)
    return frozen


def read_meta_graph(path: str) -> meta_graph_pb2.MetaGraphDef:
    """The graph for serving of a SavedModel, with its signatures.

    Raises:
        BadInputError: it is damaged, or holds no such graph.
    """
    model = saved_model_pb2.SavedModel()
    file = os.path.join(path, _BINARY)
    try:
        if os.path.isfile(file):
            model.ParseFromString(read_bytes(file))
        else:
            file = os.path.join(path, _TEXT)
            text_format.Parse(read_bytes(file).decode("utf-8"), model)
    except (DecodeError, RuntimeError, text_format.ParseError, UnicodeDecodeError):
        remedy = "check how it was made or copied"
        raise BadInputError("%s does not parse as a SavedModel" % file, remedy) from None
    if not model.meta_graphs:
        raise BadInputError("%s holds no graph" % file, "check how it was made or copied")
    serving = [meta for meta in model.meta_graphs if "serve" in meta.meta_info_def.tags]
    if not serving and len(model.meta_graphs) > 1:
        tags = ["+".join(sorted(meta.meta_info_def.tags)) for meta in model.meta_graphs]
        raise BadInputError(
            "%s holds the graphs %s, none for serving" % (file, ", ".join(tags)), "export it for serving"
        )
    return (serving or list(model.meta_graphs))[0]


def _choose(path: str, meta: meta_graph_pb2.MetaGraphDef, wanted: str) -> str:
    names = sorted(name for name in meta.signature_def if name not in INTERNAL)
    if wanted:
        if wanted not in names:
            remedy = "it has " + ", ".join(names) if names else "it has none"
            raise BadInputError("%s has no signature '%s'" % (path, wanted), remedy)
        return wanted
    if _DEFAULT in names:
        return _DEFAULT
    if len(names) > 1:
        raise BadInputError(
            "%s has several signatures: %s" % (path, ", ".join(names)), "choose one with --signature NAME"
        )
    return names[0] if names else ""


def _find_variables(path: str) -> str:
    return os.path.join(path, "variables", "variables")


def _bytes_of_variables(path: str) -> int:
    """Bytes of the variables, without those of optimizers."""
    prefix = _find_variables(path)
    if not os.path.isfile(prefix + ".index"):
        return 0
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    except _FAILURES as error:
        message = "the variables of %s cannot be read: %s" % (path, first_line(error))
        raise BadInputError(message, "check how it was copied") from error
    return sum(
        int(np.prod(shape, dtype=np.int64)) * dtypes[name].size
        for name, shape in shapes.items()
        if "OPTIMIZER_SLOT" not in name and not name.startswith("optimizer/") and dtypes[name] != tf.string
    )


def _freeze_second(path: str, meta: meta_graph_pb2.MetaGraphDef, name: str, allow_op: Collection[str]) -> Frozen:
    if not name:
        raise BadInputError("%s has no signature" % path, "export it with a signature, such as serving_default")
    check_second(meta, allow_op, path)
    with context.eager_mode():
        loaded = tf.compat.v2.saved_model.load(path, tags=list(meta.meta_info_def.tags))
        function = loaded.signatures[name]
        inputs, outputs = _find_names(meta, name)
        frozen = freeze_function(function, inputs, outputs)
    return Frozen(frozen.graph_def, frozen.inputs, frozen.outputs, name, meta.signature_def[name])


def _find_names(meta: meta_graph_pb2.MetaGraphDef, name: str) -> Tuple[List[str], List[str]]:
    """What a signature calls its inputs and outputs, in the order in which a function has them: sorted."""
    signature = meta.signature_def[name]
    return sorted(signature.inputs), sorted(signature.outputs)


def _freeze_first(
    path: str, meta: meta_graph_pb2.MetaGraphDef, name: str, outputs: Sequence[str], allow_op: Collection[str]
) -> Frozen:
    signature = meta.signature_def[name] if name else meta_graph_pb2.SignatureDef()
    results = _tensor_names(path, signature.outputs)
    wanted = [results.get(item, item) for item in outputs] or list(results.values())
    if not wanted:
        raise BadInputError("%s has no signature" % path, "name its outputs with --outputs")
    nodes = list(dict.fromkeys(tensor.partition(":")[0] for tensor in wanted))
    known = {node.name for node in meta.graph_def.node}
    for node in nodes:
        if node not in known:
            raise BadInputError(
                "the output '%s' is not in %s" % (node, path), "it has " + (", ".join(results) or "no signature")
            )
    inputs = _tensor_names(path, signature.inputs)
    meta, initializers = prepared_first(meta, list(inputs.values()), nodes, allow_op, path)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saver = tf.compat.v1.train.import_meta_graph(meta)
        if saver is not None and os.path.isfile(_find_variables(path) + ".index"):
            saver.restore(session, _find_variables(path))
        for operation in initializers:
            session.run(session.graph.as_graph_element(operation))
        graph_def = tf.compat.v1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), nodes)
    return Frozen(graph_def, inputs, results, name, signature if name else None)


def _tensor_names(path: str, infos: Any) -> Dict[str, str]:
    found = {}
    for key in sorted(infos):
        if not infos[key].name:
            raise BadInputError("'%s' of %s is no dense tensor" % (key, path), "choose another signature")
        found[key] = infos[key].name
    return found
