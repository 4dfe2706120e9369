"""Write a float16 or bfloat16 graph as a float32 one, between inputs and outputs of the types they have.

::

    op_half(x, w_half)  ==  Cast(op(Cast(x, float), float(w_half)), half)        up to float16's rounding

Only float32 is folded, calibrated and has INT8 kernels here, and on most CPUs float16 is slower than float32. Constants
keep their values; what float16 rounds, or turns to infinity, between them is no longer lost.

Conditions: no op whose result depends on how a number is stored (Bitcast), and no function with such types.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.python.framework import tensor_util

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import DT_FLOAT, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.ops import registry
from intel_quantization.transforms.rule import Refusal, WholeGraph

_HALF = {types_pb2.DT_HALF: "float16", types_pb2.DT_BFLOAT16: "bfloat16"}
_INPUTS = ("Placeholder", "PlaceholderWithDefault")
_STORED = ("Bitcast", "DecodeRaw", "DecodePaddedRaw", "ParseTensor", "SerializeTensor")


def _types(node: NodeDef) -> List[int]:
    """All types that its attributes name."""
    values = node.attr.values()
    return [value.type for value in values if value.type] + [kind for value in values for kind in value.list.type]


def narrow_types(graph_def: GraphDef) -> str:
    """Which of these types a graph computes in, in words; empty for none."""
    found = {kind for node in graph_def.node if node.op not in _INPUTS for kind in _types(node)}
    return " and ".join(name for kind, name in _HALF.items() if kind in found)


def _is_half(node: NodeDef) -> bool:
    return any(kind in _HALF for kind in _types(node))


def _obstacle(graph: Graph, node: NodeDef) -> str:
    """Why a node with such types cannot be widened; empty where it can."""
    if node.op in _STORED:
        return "%s looks at how numbers are stored" % node.op
    if registry.op_def(node.op) is None or any(value.HasField("func") for value in node.attr.values()):
        return "it calls a function"
    if any(tensors.split(name)[1] for name in graph.outputs if tensors.node_of(name) == node.name):
        return "it is an output beyond its first"
    wide = {key: DT_FLOAT if value.type in _HALF else value.type for key, value in node.attr.items() if value.type}
    if node.op not in ("Const", *_INPUTS) and not registry.has_kernel(node.op, **wide):
        return "%s has no float32 kernel" % node.op
    return ""


def _found(graph: Graph) -> List[NodeDef]:
    return [node for node in graph.topological() if _is_half(node)]


def _widen(graph: Graph) -> int:
    found = _found(graph)
    if any(_obstacle(graph, node) for node in found):
        return 0
    for node in found:
        if node.op in _INPUTS:
            _cast_input(graph, node)
        elif graph.is_output(node.name) and registry.output_dtype(node) in _HALF:
            _cast_output(graph, node)
        else:
            _widen_node(node)
    return len(found)


def _cast(source: int, result: int) -> Dict[str, Any]:
    return {"SrcT": dtype_attr(source), "DstT": dtype_attr(result)}


def _cast_input(graph: Graph, node: NodeDef) -> None:
    dtype = attribute(node, "dtype").type
    name = graph.unique_name(node.name + "/wide")
    readers = graph.readers(node.name)
    graph.add("Cast", name, [node.name], _cast(dtype, DT_FLOAT), node.device)
    for reader, index in readers:
        graph.set_input(reader, index, name)


def _cast_output(graph: Graph, node: NodeDef) -> None:
    """Let a wide copy do the work, and the node itself be narrow."""
    dtype = registry.output_dtype(node)
    name = graph.unique_name(node.name + "/wide")
    readers = graph.readers(node.name)
    _widen_node(graph.add(node.op, name, list(node.input), dict(node.attr.items()), node.device))
    for reader, index in readers:
        graph.set_input(reader, index, name)
    node.op = "Cast"
    node.attr.clear()
    for key, value in _cast(DT_FLOAT, dtype).items():
        node.attr[key].CopyFrom(value)
    graph.set_inputs(node, [name])


def _widen_node(node: NodeDef) -> None:
    if node.op == "Const":
        value = tensor_util.MakeNdarray(node.attr["value"].tensor).astype(np.float32)
        node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value))
    for key in list(node.attr):
        value = node.attr[key]
        if value.type in _HALF:
            value.type = DT_FLOAT
        for index, kind in enumerate(value.list.type):
            if kind in _HALF:
                value.list.type[index] = DT_FLOAT
    if node.op == "Cast" and {attribute(node, key).type for key in ("SrcT", "DstT")} == {DT_FLOAT}:
        node.op = "Identity"
        node.attr.clear()
        node.attr["T"].CopyFrom(dtype_attr(DT_FLOAT))


def _refusals(graph: Graph) -> Iterable[Refusal]:
    found = [node for node in _found(graph) if node.op not in (*_INPUTS, "Cast")]
    first: Optional[NodeDef] = next((node for node in found if _obstacle(graph, node)), None)
    if first is not None:
        for node in found:
            yield Refusal(node.name, "not float32, as '%s' stays: %s" % (first.name, _obstacle(graph, first)))


widen_half = WholeGraph("widen_half", _widen, _refusals)
