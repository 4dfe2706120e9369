"""Take apart what Grappler, TensorFlow's optimizer, has fused: graphs that were saved behind it have such ops.

::

    _FusedConv2D(x, w, b; BiasAdd, Relu)  ->  Relu(BiasAdd(Conv2D(x, w), b))

likewise _FusedMatMul, _FusedDepthwiseConv2dNative and _FusedBatchNormEx. Only the plain ops are folded and have INT8
kernels; where they stay FP32, TensorFlow fuses them again when it runs the graph. The linear op gets the name, unless
that is an output's.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Match, Op
from intel_quantization.kinds.stands_for import set_stands_for
from intel_quantization.transforms.rule import Rule, Rules

_BATCH_NORM = "_FusedBatchNormEx"
# The plain op, and which attributes it takes over.
_IMAGE = ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations")
_PLAIN: Mapping[str, Tuple[str, Tuple[str, ...]]] = {
    "_FusedConv2D": ("Conv2D", _IMAGE),
    "_FusedDepthwiseConv2dNative": ("DepthwiseConv2dNative", _IMAGE),
    "_FusedMatMul": ("MatMul", ("T", "transpose_a", "transpose_b")),
    _BATCH_NORM: ("FusedBatchNormV3", ("T", "U", "epsilon", "exponential_avg_factor", "data_format", "is_training")),
}
# How many tensors each fused op reads beside the one that is handed on.
_READS = {"BiasAdd": 1, "FusedBatchNorm": 4, "Add": 1}
_EPSILON, _ALPHA = 0.0001, 0.2  # defaults of the fused ops


class _Place(NamedTuple):
    """Where a fused op is taken apart.

    Attributes:
        graph: edited in place.
        node: the fused op.
        stem: its name.
    """

    graph: Graph
    node: NodeDef
    stem: str

    def add(self, op: str, inputs: Sequence[str], **attrs: Any) -> str:
        """Add one of the plain ops."""
        attrs.setdefault("T", attribute(self.node, "T"))
        name = self.graph.unique_name("%s/%s" % (self.stem, op))
        return self.graph.add(op, name, inputs, attrs, self.node.device).name

    def number(self, value: float, beside: str) -> str:
        """Add a scalar constant."""
        return self.graph.add_constant(self.stem + "/number", np.float32(value), beside=beside)


def _gelu_exact(place: _Place, x: str) -> str:
    """x / 2 * (1 + erf(x / sqrt(2)))."""
    scaled = place.add("Mul", [x, place.number(np.sqrt(0.5), x)])
    return _half_and(place, x, place.add("Erf", [scaled]))


def _gelu_approximate(place: _Place, x: str) -> str:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))."""
    cube = place.add("Mul", [place.add("Mul", [x, x]), x])
    inner = place.add("AddV2", [x, place.add("Mul", [cube, place.number(0.044715, x)])])
    return _half_and(place, x, place.add("Tanh", [place.add("Mul", [inner, place.number(np.sqrt(2 / np.pi), x)])]))


def _half_and(place: _Place, x: str, switch: str) -> str:
    raised = place.add("AddV2", [switch, place.number(1.0, x)])
    return place.add("Mul", [place.add("Mul", [x, place.number(0.5, x)]), raised])


def _add_unary(op: str, place: _Place, x: str) -> str:
    return place.add(op, [x])


def _leaky_relu(place: _Place, x: str) -> str:
    alpha = place.node.attr["leakyrelu_alpha"].f if "leakyrelu_alpha" in place.node.attr else _ALPHA
    return place.add("LeakyRelu", [x], alpha=alpha)


_GELUS = ("GeluExact", "GeluApproximate")
_ACTIVATIONS: Dict[str, Callable[[_Place, str], str]] = {
    "LeakyRelu": _leaky_relu,
    "GeluExact": _gelu_exact,
    "GeluApproximate": _gelu_approximate,
    **{op: partial(_add_unary, op) for op in ("Relu", "Relu6", "Elu", "Tanh", "Sigmoid")},
}


def _steps(node: NodeDef) -> List[str]:
    """What is fused behind the plain op."""
    if node.op != _BATCH_NORM:
        return [name.decode() for name in attribute(node, "fused_ops").list.s]
    mode = attribute(node, "activation_mode").s.decode()
    return ["Add"] * attribute(node, "num_side_inputs").i + ([mode] if mode not in ("", "Identity") else [])


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> str:
    unknown = [step for step in _steps(node) if step not in _READS and step not in _ACTIVATIONS]
    if unknown:
        return "nobody says what '%s' is, which is fused into it" % unknown[0]
    own = 5 if node.op == _BATCH_NORM else 2
    if len(graph.data_inputs(node)) != own + sum(_READS.get(step, 0) for step in _steps(node)):
        return "it reads something that no op fused into it needs"
    if attribute(node, "filter_format").s not in (b"", b"HWIO"):
        return "its weights are not laid out as HWIO"
    if attribute(node, "T").type != DT_FLOAT and set(_steps(node)) & {*_GELUS, "FusedBatchNorm"}:
        return "it is not float32"
    others = ["%s:%d" % (node.name, index) for index in range(1, 6)]
    if any(name in graph.outputs or graph.readers(name) for name in others):
        return "more than its first output is read"
    return ""


def _unfuse(graph: Graph, node: NodeDef, _found: Match) -> None:
    op, kept = _PLAIN[node.op]
    fused, name, is_output = node.op, node.name, graph.is_output(node.name)
    place = _Place(graph, node, name)
    inputs = graph.data_inputs(node)
    own = 5 if node.op == _BATCH_NORM else 2
    given = inputs[own:]
    steps = _steps(node)
    attrs = {key: node.attr[key] for key in kept if key in node.attr}
    first = last = place.add(op, inputs[:own] + graph.control_inputs(node), **attrs)
    for step in steps:
        read, given = given[: _READS.get(step, 0)], given[_READS.get(step, 0) :]
        last = _add_step(place, step, last, read)
    node.op = "Identity"
    dtype = attribute(node, "T").type
    node.attr.clear()
    node.attr["T"].CopyFrom(dtype_attr(dtype))
    graph.set_inputs(node, [last])
    if not is_output:  # the report tells of the node that the user knows
        graph.bypass(name)
        graph.rename(first, name)
        first = name
    set_stands_for(graph.nodes[first], fused, name)


def _add_step(place: _Place, step: str, x: str, read: Sequence[str]) -> str:
    if step in _ACTIVATIONS:
        return _ACTIVATIONS[step](place, x)
    if step == "Add":
        return place.add("AddV2", [x, *read])
    layout = {"data_format": attribute(place.node, "data_format")} if "data_format" in place.node.attr else {}
    if step == "BiasAdd":
        return place.add("BiasAdd", [x, *read], **layout)
    epsilon = place.node.attr["epsilon"].f if "epsilon" in place.node.attr else _EPSILON
    attrs = dict(layout, U=dtype_attr(DT_FLOAT), epsilon=epsilon, is_training=False)
    return place.add("FusedBatchNormV3", [x, *read], **attrs)


unfuse_ops = Rules("unfuse_ops", Rule((Op("|".join(_PLAIN)),), rewrite=_unfuse, refuse=_refuse))
