"""Give the Reshapes of ``tf.tensordot`` constant shapes, and let all products of one tensor share the first.

::

    Reshape(MatMul(Reshape(x, [prod(free sizes), k]), w), [free sizes, n])    sizes computed by each product anew
    Reshape(MatMul(Reshape(x, [-1, k]), w), [-1, 128, n])                     where one free size is unknown at most

So Keras writes Dense on more than two dimensions: nine small ops for each layer. What reads one tensor in two Reshapes
would be quantized twice. Conditions: constant weights; the free dimensions are the first of the input, in their order.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from intel_quantization.graph.attributes import DT_INT32, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.graph.pattern import Any, Const, Match, Op
from intel_quantization.transforms.rule import Rule, Rules, make_pass
from intel_quantization.transforms.support.flat_rows import as_sizes, flatten_rows
from intel_quantization.transforms.support.linear import output_channels

_ROWS = Op("Reshape", inputs=(Any("x"), Any("computed")), bind="rows")
_MATMUL = Op("MatMul", inputs=(_ROWS, Const("weights", 2)), bind="matmul", private=True)
_FREE = Op("GatherV2", inputs=(Op("Shape", inputs=(Any("measured"),)), Const("free", 1), Const("along")))
_SIZES = Op("ConcatV2", inputs=(_FREE, Const("new", 1), Const("axis")), bind="sizes")
_PATTERN = Op("Reshape", inputs=(_MATMUL, _SIZES))


def _concerns(graph: Graph, node: NodeDef) -> bool:
    return graph.producer(node.input[0]).op == "MatMul" and graph.producer(node.input[1]).op == "ConcatV2"


def _refuse(graph: Graph, _node: NodeDef, found: Match) -> str:
    matmul, values = found.nodes["matmul"], found.values
    if output_channels(matmul, values["weights"]) is None:
        return "'%s' is not float32" % matmul.name
    if any(attribute(matmul, key).b for key in ("transpose_a", "transpose_b")):
        return "'%s' transposes" % matmul.name
    if found.tensors["x"] != found.tensors["measured"]:
        return "its sizes are those of another tensor"
    if not np.array_equal(values["free"], np.arange(values["free"].size)) or np.any(values["along"]):
        return "its free dimensions are not the first"
    if graph.constant(found.tensors["computed"]) is not None or graph.control_inputs(found.nodes["rows"]):
        return "its rows are told apart already"
    return ""


def _rewrite(shapes: InferredShapes, graph: Graph, node: NodeDef, found: Match) -> None:
    matmul, old, sizes, source = found.nodes["matmul"], found.nodes["rows"], found.nodes["sizes"], found.tensors["x"]
    graph.set_input(matmul, 0, flatten_rows(graph, source, found.values["weights"].shape[0]))
    graph.sweep([old.name])
    static, free = shapes(source), found.values["free"].size
    known = None if static is None else as_sizes([*static[:free], *(int(size) for size in found.values["new"])])
    if known is not None:
        name = graph.add_constant(node.name + "/shape", np.array(known, np.int32), beside=source)
        node.attr["Tshape"].CopyFrom(dtype_attr(DT_INT32))
        graph.set_input(node, 1, name)
        graph.sweep([sizes.name])


def _rules(graph: Graph) -> Rules:
    rule = Rule((_PATTERN,), partial(_rewrite, InferredShapes(graph)), _refuse, _concerns)
    return Rules("simplify_tensordot", rule)


simplify_tensordot = make_pass("simplify_tensordot", _rules)
