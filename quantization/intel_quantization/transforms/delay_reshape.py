"""Let a bias, a factor or a ReLU that reads a reshaped matrix product read the product itself.

::

    op(Reshape(MatMul(x, w), s), c) == Reshape(op(MatMul(x, w), c), s)     BiasAdd, Add, AddV2, Mul, Relu, Relu6

Only right behind the MatMul can they become one op with it. A dense layer on more than two dimensions has its Reshape
there, as Keras, ``tf.tensordot`` and :mod:`.write_as_matmul` write it. Conditions: nothing else reads what is between;
the constant broadcasts along the dimensions that the Reshape makes of the columns.
"""

from __future__ import annotations

from typing import Iterable, Optional

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute, dtype_attr, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Const, Match, OneOf, Op
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.stands_for import set_stands_for
from intel_quantization.transforms.rule import Rule, Rules, make_pass
from intel_quantization.transforms.support.channel_map import has_constant_operand
from intel_quantization.transforms.support.flat_rows import RESHAPE, last_sizes
from intel_quantization.transforms.support.linear import output_channels

_MAPS, _RELUS = "BiasAdd|Add|AddV2|Mul", "Relu|Relu6"
_MATMUL = Op("MatMul", inputs=(Any("x"), Const("weights", 2)), bind="matmul", private=True)
# up to two of them were brought ahead of the Reshape before
_ONE = Op(_MAPS, inputs=(_MATMUL,), private=True)
_TWO = Op(_MAPS, inputs=(OneOf((_MATMUL, _ONE)),), private=True)
_RESHAPE = Op("Reshape", inputs=(OneOf((_MATMUL, _TWO)), Any("shape")), bind="reshape", private=True)


def _concerns(graph: Graph, node: NodeDef) -> bool:
    read = [graph.producer(name).op for name in graph.data_inputs(node)]
    return "Reshape" in read and (node.op not in _MAPS.split("|") or has_constant_operand(graph, node))


def _term(graph: Graph, node: NodeDef, found: Match) -> Optional[np.ndarray]:
    """The constant as one number for each column; None where it is none."""
    columns = output_channels(found.nodes["matmul"], found.values["weights"])
    value = found.values["term"]
    sizes = last_sizes(graph, found.tensors["shape"], columns) if columns else ()
    if not sizes or value.ndim > len(sizes) or any(size not in (1, want) for size, want in _pairs(value.shape, sizes)):
        return None
    return np.broadcast_to(value, sizes).reshape(-1)


def _pairs(shape: Iterable[int], sizes: Iterable[int]) -> Iterable[tuple[int, int]]:
    return zip(reversed(tuple(shape)), reversed(tuple(sizes)))


def _refuse(graph: Graph, node: NodeDef, found: Match) -> str:
    matmul = found.nodes["matmul"]
    if output_channels(matmul, found.values["weights"]) is None:
        return "'%s' is not float32" % matmul.name
    if not is_channels_last(node):
        return "it adds along the first dimension"
    if "term" in found.values and _term(graph, node, found) is None:
        return "its constant does not go along the columns of '%s'" % matmul.name
    return ""


def _rewrite(graph: Graph, node: NodeDef, found: Match) -> None:
    reshape = found.nodes["reshape"]
    product = graph.data_inputs(reshape)[0]
    inputs = [product]
    op = node.op
    if "term" in found.values:
        term, old = _term(graph, node, found), found.tensors["term"]
        assert term is not None  # _refuse has looked
        waits = waits_of(graph, [old])
        inputs.append(graph.add_constant(node.name + "/by_column", term, beside=product, waits=waits))
        op = "Mul" if op == "Mul" else "BiasAdd"
    moved = graph.add(op, graph.unique_name(node.name + "/by_row"), inputs, {"T": dtype_attr(DT_FLOAT)}, node.device)
    set_stands_for(moved, node.op, node.name)
    left = [graph.producer(name).name for name in graph.data_inputs(node)]
    shape, waits = found.tensors["shape"], graph.control_inputs(node)
    kind = attribute(reshape, "Tshape")
    node.op = "Reshape"
    node.attr.clear()
    node.attr["T"].CopyFrom(RESHAPE["T"])
    node.attr["Tshape"].CopyFrom(kind)
    graph.set_inputs(node, [moved.name, shape] + waits)
    graph.sweep(left)


_RULES = Rules(
    "delay_reshape",
    Rule(
        (
            Op("BiasAdd", inputs=(_RESHAPE, Const("term", 1))),
            Op("Add|AddV2|Mul", inputs=(_RESHAPE, Const("term")), commutative=True),
            Op(_RELUS, inputs=(_RESHAPE,)),
        ),
        rewrite=_rewrite,
        refuse=_refuse,
        concerns=_concerns,
    ),
)


# again: a ReLU comes ahead once its bias is there
delay_reshape = make_pass("delay_reshape", lambda graph: _RULES, again=True)
