"""Write an Einsum or a BatchMatMul with constant weights as a MatMul between two Reshapes.

::

    Einsum(x, w, "abc,cde->abde") == Reshape(MatMul(Reshape(x, [-1, c]), w[c, d * e]), [a, b, d, e])
    BatchMatMul(x, w)             == Reshape(MatMul(Reshape(x, [-1, k]), w[k, n]), [..., n])

Keras writes EinsumDense and MultiHeadAttention so, and imports from ONNX their dense layers; only a MatMul has an INT8
kernel. In FP32 it takes no longer (measured). All that read one tensor share its Reshape, so that it is quantized once.

Conditions: float32; the weights are constant, and the same for the whole batch; what is summed are the last dimensions
of the input, what is new the last of the result. The MatMul gets the name, unless that is an output's; see
:mod:`intel_quantization.kinds.stands_for`.
"""

from __future__ import annotations

from functools import partial
from typing import Dict, Iterable, List, NamedTuple, Tuple, Union

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.inferred_shapes import InferredShapes
from intel_quantization.graph.pattern import Match, Op
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.stands_for import set_stands_for
from intel_quantization.transforms.rule import Refusal, Rule, Rules, WholeGraph
from intel_quantization.transforms.support.einsum import read_equation
from intel_quantization.transforms.support.flat_rows import RESHAPE, flatten_rows, shape_behind

_OPS = "Einsum|BatchMatMul|BatchMatMulV2|BatchMatMulV3"
_MATMUL = {"T": dtype_attr(DT_FLOAT), "transpose_a": False, "transpose_b": False}
_TYPES = ("T", "Ta", "Tb", "Tout")
OTHER_WEIGHTS = "each of its batches has weights of its own"


class _Product(NamedTuple):
    """``source`` times the weights.

    Attributes:
        source: the tensor.
        weights: that of the weights.
        values: float32 [K, N].
        summed: how many of the last dimensions of the source K is.
        new: the sizes in their place, of which N is made.
    """

    source: str
    weights: str
    values: np.ndarray
    summed: int
    new: Tuple[int, ...]


def _constant_operand(graph: Graph, node: NodeDef) -> int:
    """Which of two operands is constant; -1 for none, and for both, which are folded."""
    known = [graph.constant(name) is not None for name in graph.data_inputs(node)]
    return known.index(True) if len(known) == 2 and known.count(True) == 1 else -1


def _concerns(graph: Graph, node: NodeDef) -> bool:
    return _constant_operand(graph, node) >= 0


def _look(graph: Graph, shapes: InferredShapes, node: NodeDef) -> Union[_Product, str]:
    """What a node multiplies, or why it stays."""
    if {attribute(node, key).type for key in _TYPES} - {0} != {DT_FLOAT}:
        return "it is not float32"
    place = _constant_operand(graph, node)
    inputs = graph.data_inputs(node)
    weights = graph.constant(inputs[place])
    assert weights is not None  # _concerns has looked
    if not weights.size:
        return "its weights are empty"
    if node.op == "Einsum":
        return _read_einsum(node, inputs, place, weights)
    return _read_batched(shapes, node, inputs, place, weights)


def _read_einsum(node: NodeDef, inputs: List[str], place: int, weights: np.ndarray) -> Union[_Product, str]:
    dense = read_equation(attribute(node, "equation").s.decode(), place)
    if isinstance(dense, str):
        return dense
    ordered = weights.transpose(dense.order)
    new = tuple(ordered.shape[dense.summed :])
    values = ordered.reshape(-1, int(np.prod(new)))
    return _Product(inputs[1 - place], inputs[place], values, dense.summed, new)


def _read_batched(
    shapes: InferredShapes, node: NodeDef, inputs: List[str], place: int, weights: np.ndarray
) -> Union[_Product, str]:
    if place == 0:
        return "its weights are the first operand"
    if attribute(node, "adj_x").b:
        return "a transposed input has no INT8 kernel"
    matrix: Tuple[int, ...] = weights.shape[-2:]
    if weights.size != np.prod(matrix):
        return OTHER_WEIGHTS
    source = shapes(inputs[0]) if weights.ndim > 2 else None
    if weights.ndim > 2 and (source is None or len(source) < weights.ndim):
        return "its weights may have more dimensions than its input"
    values: np.ndarray = weights.reshape(matrix)
    values = values.T if attribute(node, "adj_y").b else values
    return _Product(inputs[0], inputs[1], values, 1, (values.shape[1],))


def _refuse(shapes: InferredShapes, graph: Graph, node: NodeDef, _found: Match) -> str:
    looked = _look(graph, shapes, node)
    return looked if isinstance(looked, str) else ""


def _rewrite(shapes: InferredShapes, products: Dict[str, str], graph: Graph, node: NodeDef, _found: Match) -> None:
    product = _look(graph, shapes, node)
    assert not isinstance(product, str)  # _refuse has looked
    static, source = shapes(node.name), product.source
    waits = waits_of(graph, [product.weights])
    weights = graph.add_constant(node.name + "/matrix", product.values, beside=source, waits=waits)
    rows = flatten_rows(graph, source, product.values.shape[0])
    shape = shape_behind(graph, node.name + "/shape", source, product.summed, product.new, static)
    matmul = graph.add("MatMul", graph.unique_name(node.name + "/product"), [rows, weights], _MATMUL, node.device)
    graph.set_inputs(matmul, [rows, weights] + graph.control_inputs(node))
    set_stands_for(matmul, node.op, node.name)
    node.op = "Reshape"
    node.attr.clear()
    for key, value in RESHAPE.items():
        node.attr[key].CopyFrom(value)
    graph.set_inputs(node, [matmul.name, shape])
    graph.sweep([graph.producer(product.weights).name])
    products[node.name] = matmul.name


def _rules(shapes: InferredShapes, products: Dict[str, str]) -> Rules:
    rule = Rule((Op(_OPS),), partial(_rewrite, shapes, products), partial(_refuse, shapes), _concerns)
    return Rules("write_as_matmul", rule)


def _write(graph: Graph) -> int:
    products: Dict[str, str] = {}
    count = _rules(InferredShapes(graph), products)(graph)
    for name, product in products.items():
        if not graph.is_output(name):  # the report tells of the node that the user knows
            graph.rename(name, graph.unique_name(name + "/reshaped"))
            graph.rename(product, name)
    return count


def _refusals(graph: Graph) -> Iterable[Refusal]:
    return _rules(InferredShapes(graph), {}).refusals(graph)


write_as_matmul = WholeGraph("write_as_matmul", _write, _refusals)
