"""The signatures of a SavedModel besides the one that becomes INT8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Collection, List, Optional, Tuple

import tensorflow as tf
from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.reading.call import Call
from intel_quantization.reading.saved_model import INTERNAL, read_meta_graph
from intel_quantization.reading.saved_model_check import check_loading
from intel_quantization.writing.same_bytes import forget_captures


@dataclass(frozen=True)
class Others:
    """What becomes of the other signatures.

    Attributes:
        same: names of those that are the very call that becomes INT8, under another name.
        fp32: names of those that are kept as they are.
        lost: names of those that cannot be kept.
        why: they cannot; empty where there are none.
        loaded: the SavedModel that was read, as TensorFlow 2 has it; None where none was, or it may not be loaded.
    """

    same: Tuple[str, ...] = ()
    fp32: Tuple[str, ...] = ()
    lost: Tuple[str, ...] = ()
    why: str = ""
    loaded: Optional[Any] = None


def other_signatures(call: Call, second_form: bool, allow_op: Collection[str] = ()) -> Others:
    """Sort the other signatures, and load what is kept of them.

    Args:
        call: of the signature that becomes INT8.
        second_form: whether the SavedModel can hold what was read: the other form has no functions.
        allow_op: ops that may run although they touch files, processes or the network.
    """
    if not call.folder:
        return Others()
    meta = read_meta_graph(call.folder)
    names = sorted(name for name in meta.signature_def if name not in (*INTERNAL, call.signature))
    chosen = _is_whole(meta, call)
    same = tuple(name for name in names if chosen and _is_same(meta, name, call.signature))
    rest = tuple(name for name in names if name not in same)
    if not second_form:
        return Others(same, (), rest, "a SavedModel for TensorFlow 1 holds one graph, the INT8 one")
    try:
        check_loading(meta, rest, allow_op, call.folder)
    except BadInputError as error:
        return Others(same, (), rest, error.message)
    with context.eager_mode():
        loaded = tf.saved_model.load(call.folder, tags=list(meta.meta_info_def.tags))
    return Others(same, rest, (), "", loaded)


def _is_whole(meta: meta_graph_pb2.MetaGraphDef, call: Call) -> bool:
    """Whether what becomes INT8 is a signature as it is, with all its inputs and outputs and no others."""
    mine = meta.signature_def.get(call.signature)
    return mine is not None and set(mine.inputs) == set(call.inputs) and set(mine.outputs) == set(call.outputs)


def _is_same(meta: meta_graph_pb2.MetaGraphDef, name: str, other: str) -> bool:
    """Whether two signatures compute the same under the same names."""
    one, two = meta.signature_def[name], meta.signature_def[other]
    if set(one.inputs) != set(two.inputs) or set(one.outputs) != set(two.outputs):
        return False
    if one.method_name != two.method_name:
        return False
    mine, others = ([side[key].name for key in sorted(side)] for side in (one.outputs, two.outputs))
    fed = [(one.inputs[key].name, two.inputs[key].name) for key in one.inputs]
    if mine == others:
        return all(a == b for a, b in fed)
    return [_index(tensor) for tensor in mine] == [_index(tensor) for tensor in others] and _same_calls(
        meta, mine, others, dict(fed)
    )


def _same_calls(meta: meta_graph_pb2.MetaGraphDef, mine: List[str], others: List[str], fed: dict[str, Any]) -> bool:
    """Whether two results are those of one function, with the same arguments but for what is fed."""
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    for first, second in zip(mine, others):
        one, two = (nodes[tensors.node_of(tensor)] for tensor in (first, second))
        if one.op != two.op or "f" not in one.attr or "f" not in two.attr:
            return False
        renamed = [fed.get(_complete_name(name), _complete_name(name)) for name in one.input]
        if renamed != [_complete_name(name) for name in two.input]:
            return False
        bodies = [functions.get(node.attr["f"].func.name) for node in (one, two)]
        if None in bodies or _strip_names(bodies[0]) != _strip_names(bodies[1]):
            return False
    return True


def _strip_names(function: function_pb2.FunctionDef) -> bytes:
    copy = function_pb2.FunctionDef()
    copy.CopyFrom(function)
    copy.signature.name = ""
    forget_captures(copy)
    for node in copy.node_def:
        _forget(node)
    return bytes(copy.SerializeToString(deterministic=True))


def _forget(node: node_def_pb2.NodeDef) -> None:
    """What differs between two calls of one function: the number of a gradient that nobody takes."""
    node.attr.pop("_gradient_op_type", None)
    node.ClearField("experimental_debug_info")


def _complete_name(name: str) -> str:
    return name if tensors.is_control(name) else "%s:%d" % tensors.split(name)


def _index(tensor: str) -> int:
    return tensors.split(tensor)[1]
