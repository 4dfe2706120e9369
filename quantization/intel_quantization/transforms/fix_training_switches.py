"""Make constants of the optional inputs that only switch training on: ``is_training``, ``keep_prob``.

A PlaceholderWithDefault that nobody feeds has its default. Which ones nobody feeds in inference is told by
what they are for: a scalar truth value, or a scalar that a dropout adds to random numbers or compares with
them. Others, such as a score threshold, stay. So does what the user names as an input: :mod:`cut_at_inputs`
has made a Placeholder of that before.
"""

from __future__ import annotations

from tensorflow.core.framework import types_pb2

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Match, Op
from intel_quantization.ops import registry
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.random_values import is_unit_random


def _fix(graph: Graph, node: NodeDef, found: Match) -> None:
    default = graph.producer(found.tensors["default"])
    graph.set_inputs(node, [])
    node.op = "Const"
    node.attr.clear()
    for key in ("dtype", "value"):
        node.attr[key].CopyFrom(default.attr[key])
    graph.sweep([default.name])


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> str:
    return "'%s' is an output" % node.name if graph.is_output(node.name) else ""


def _is_switch(graph: Graph, node: NodeDef) -> bool:
    default = graph.producer(node.input[0])
    value = graph.constant(node.input[0])
    if default.op != "Const" or default.input or graph.control_inputs(node) or value is None or value.ndim:
        return False
    dtype = registry.output_dtype(default)
    return dtype == types_pb2.DT_BOOL or (dtype == types_pb2.DT_FLOAT and _is_for_dropout(graph, node))


def _is_for_dropout(graph: Graph, node: NodeDef) -> bool:
    """Whether a scalar, or 1 minus it, meets random numbers."""
    derived = [reader.name for reader in graph.consumers(node.name) if reader.op in ("Sub", "Identity")]
    return any(
        reader.op in ("Add", "AddV2", "GreaterEqual")
        and any(is_unit_random(graph, name) for name in graph.data_inputs(reader))
        for source in [node.name, *derived]
        for reader in graph.consumers(source)
    )


fix_training_switches = Rules(
    "fix_training_switches",
    Rule((Op("PlaceholderWithDefault", inputs=(Any("default"),)),), rewrite=_fix, refuse=_refuse, concerns=_is_switch),
)
