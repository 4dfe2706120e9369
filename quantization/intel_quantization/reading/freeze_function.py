"""Freeze a concrete function of TensorFlow 2: its variables become constants, its calls are inlined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import convert_to_constants

from intel_quantization.graph import tensors

_NODE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$")
_UNNAMED = re.compile(r"Identity(_\d+)?$")


@dataclass(frozen=True)
class Frozen:
    """A frozen graph and what its signature calls its tensors.

    Attributes:
        graph_def: the graph.
        inputs: name in the signature -> tensor name, ``input:0``.
        outputs: likewise.
        signature: the signature's name; empty where there is none.
        definition: what a SavedModel says of that signature; None where there is none.
    """

    graph_def: graph_pb2.GraphDef
    inputs: Dict[str, str]
    outputs: Dict[str, str]
    signature: str = ""
    definition: Optional[meta_graph_pb2.SignatureDef] = None


def freeze_function(function: Any, input_names: List[str], output_names: List[str]) -> Frozen:
    """Freeze a concrete function; its outputs get the names that its signature gives them, where those are free.

    Args:
        function: a ``ConcreteFunction``.
        input_names: in the order of the function's arguments.
        output_names: in the order of its flat results.
    """
    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    graph_def = frozen.graph.as_graph_def()
    given = [tensor.name for tensor in frozen.inputs]
    results = [tensor.name for tensor in frozen.outputs]
    renamed = _outputs_to_rename(graph_def, results, output_names)
    _rename(graph_def, renamed)
    inputs = dict(zip(_in_order(graph_def, given, input_names), given))
    outputs = {}
    for name, result in zip(output_names, results):
        node, index = tensors.split(result)
        outputs[name] = "%s:%d" % (renamed.get(node, node), index)
    return Frozen(graph_def, inputs, outputs)


def _in_order(graph_def: graph_pb2.GraphDef, given: List[str], names: List[str]) -> List[str]:
    """``names`` in the order of the placeholders, which keep what the user called them as an attribute."""
    nodes = {node.name: node for node in graph_def.node}
    found = []
    for tensor in given:
        node = nodes[tensors.node_of(tensor)]
        said = node.attr["_user_specified_name"].s.decode() if "_user_specified_name" in node.attr else node.name
        found.append(said)
    return found if sorted(found) == sorted(names) else names


def _outputs_to_rename(graph_def: graph_pb2.GraphDef, results: List[str], names: List[str]) -> Dict[str, str]:
    taken = {node.name for node in graph_def.node}
    renamed: Dict[str, str] = {}
    for result, name in zip(results, names):
        old = tensors.node_of(result)
        if _UNNAMED.match(old) and name not in taken and _NODE_NAME.match(name) and old not in renamed:
            renamed[old] = name
            taken.add(name)
    return renamed


def _rename(graph_def: graph_pb2.GraphDef, renamed: Dict[str, str]) -> None:
    for node in graph_def.node:
        node.name = renamed.get(node.name, node.name)
        for number, name in enumerate(node.input):
            old = tensors.node_of(name)
            if old in renamed:
                node.input[number] = name.replace(old, renamed[old], 1)
        if "_class" in node.attr:  # colocated with ("loc:@node")
            places = node.attr["_class"].list.s
            for number, place in enumerate(places):
                prefix, _, other = place.decode().partition("@")
                places[number] = ("%s@%s" % (prefix, renamed.get(other, other))).encode()
