"""A SavedModel that TensorFlow wrote, with the same bytes each time.

TensorFlow numbers functions by all that the process made before, and its fingerprint holds a random id.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterator, Mapping

from google.protobuf.message import Message
from tensorflow.core.framework import attr_value_pb2, function_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from intel_quantization.graph.io import read_bytes, write_atomically

_NUMBERED = re.compile(r"(__(?:inference|forward|backward)_.*_)([0-9]+)$", re.DOTALL)
_GRADIENT = "_gradient_op_type"
"""Names a registered gradient of this process; what is loaded has none."""
_NAME = "_user_specified_name"
_FINGERPRINT = "fingerprint.pb"


def make_same_bytes(folder: str, definitions: Mapping[str, meta_graph_pb2.SignatureDef]) -> None:
    """Number the functions of a SavedModel anew, and write it with its fields in order.

    Args:
        folder: of the SavedModel, changed in place. The fingerprint, which would no longer fit, goes; it is optional.
        definitions: signatures, by name, that are to say just that: for those that it has, the method's name, and the
            types and shapes, replace TensorFlow's.

    Raises:
        OutputError: it cannot be written.
    """
    path = os.path.join(folder, "saved_model.pb")
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(read_bytes(path))
    for meta in model.meta_graphs:
        _rename_functions(meta)
        for name, definition in definitions.items():
            _say(meta.signature_def[name], definition)
    write_atomically(path, model.SerializeToString(deterministic=True))
    fingerprint = os.path.join(folder, _FINGERPRINT)
    if os.path.exists(fingerprint):
        os.unlink(fingerprint)


def _say(mine: meta_graph_pb2.SignatureDef, given: meta_graph_pb2.SignatureDef) -> None:
    mine.method_name = given.method_name
    for own, said in ((mine.inputs, given.inputs), (mine.outputs, given.outputs)):
        for key in own:
            own[key].dtype = said[key].dtype
            own[key].tensor_shape.CopyFrom(said[key].tensor_shape)


def _rename_functions(meta: meta_graph_pb2.MetaGraphDef) -> None:
    names = _new_names(meta)
    library = meta.graph_def.library
    for function in library.function:
        function.signature.name = names.get(function.signature.name, function.signature.name)
    for gradient in library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    functions = sorted(library.function, key=lambda function: str(function.signature.name))
    del library.function[:]
    library.function.extend(functions)
    nodes = list(meta.graph_def.node) + [node for function in library.function for node in function.node_def]
    for node in nodes:
        node.op = names.get(node.op, node.op)
        node.attr.pop(_GRADIENT, None)
    for function in library.function:
        forget_captures(function)
    for owner in (*nodes, *library.function):
        for value in owner.attr.values():
            _rename_in(value, names)
    _rename_objects(meta, names)


def forget_captures(function: function_pb2.FunctionDef) -> None:
    """Drop what a function calls the variables that it reads: numbers of this process."""
    for arg in function.arg_attr.values():
        if _NAME in arg.attr and arg.attr[_NAME].s.isdigit():
            del arg.attr[_NAME]


def _new_names(meta: meta_graph_pb2.MetaGraphDef) -> Dict[str, str]:
    """Of functions that TensorFlow has numbered: the same, counted in the order in which they were made."""
    found = []
    for function in meta.graph_def.library.function:
        match = _NUMBERED.match(function.signature.name)
        if match is not None:
            found.append((match.group(1), int(match.group(2)), str(function.signature.name)))
    return {name: "%s%d" % (base, index) for index, (base, _number, name) in enumerate(sorted(found))}


def _rename_in(value: attr_value_pb2.AttrValue, names: Mapping[str, str]) -> None:
    for function in _walk_functions(value):
        function.name = names.get(function.name, function.name)
    if value.WhichOneof("value") == "s":
        text = value.s.decode("utf-8", "replace")
        if text in names:
            value.s = names[text].encode()


def _walk_functions(value: attr_value_pb2.AttrValue) -> Iterator[Any]:
    kind = value.WhichOneof("value")
    if kind == "func":
        yield value.func
    elif kind == "list":
        yield from value.list.func


def _rename_objects(meta: meta_graph_pb2.MetaGraphDef, names: Mapping[str, str]) -> None:
    objects = meta.object_graph_def
    concrete: Dict[str, Message] = {}
    for name in list(objects.concrete_functions):
        concrete[names.get(name, name)] = type(objects.concrete_functions[name])()
        concrete[names.get(name, name)].CopyFrom(objects.concrete_functions[name])
    objects.concrete_functions.clear()
    for name, function in concrete.items():
        objects.concrete_functions[name].CopyFrom(function)
    for item in objects.nodes:
        if item.WhichOneof("kind") == "function":
            item.function.concrete_functions[:] = [names.get(name, name) for name in item.function.concrete_functions]
        elif item.WhichOneof("kind") == "bare_concrete_function":
            bare = item.bare_concrete_function
            bare.concrete_function_name = names.get(bare.concrete_function_name, bare.concrete_function_name)
