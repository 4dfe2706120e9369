"""Write every padding with zeros as a plain Pad, and bypass those that pad nothing.

``PadV2(x, p, 0) == Pad(x, p)`` and ``Pad(x, 0) == x``; a Pad is what the passes for convolutions look for.
Conditions: constant paddings and value.
"""

from __future__ import annotations

import numpy as np

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Const, Match, Op
from intel_quantization.transforms.rule import Rule, Rules

_PAD = Op("Pad|PadV2", inputs=(Any("x"), Const("paddings")))
_WITH_VALUE = Op("PadV2", inputs=(Any("x"), Any("paddings"), Const("value")))


def _pads_nothing(graph: Graph, node: NodeDef) -> bool:
    paddings = graph.constant(graph.data_inputs(node)[1])
    return paddings is not None and not np.any(paddings)


def _refuse_bypass(graph: Graph, node: NodeDef, _found: Match) -> str:
    return "'%s' is an output" % node.name if graph.is_output(node.name) else ""


def _bypass(graph: Graph, node: NodeDef, _found: Match) -> None:
    inputs = graph.data_inputs(node)
    replaced = [graph.producer(name).name for name in inputs[1:]]
    graph.set_inputs(node, inputs[:1] + graph.control_inputs(node))
    graph.bypass(node.name)
    graph.sweep(replaced)


def _refuse_plain(_graph: Graph, node: NodeDef, found: Match) -> str:
    return "'%s' pads with other numbers than zero" % node.name if np.any(found.values["value"]) else ""


def _make_plain(graph: Graph, node: NodeDef, _found: Match) -> None:
    inputs = graph.data_inputs(node)
    replaced = [graph.producer(name).name for name in inputs[1:]]
    graph.set_inputs(node, inputs[:2] + graph.control_inputs(node))
    node.op = "Pad"
    graph.sweep(replaced)


drop_zero_padding = Rules(
    "drop_zero_padding",
    Rule((_PAD,), rewrite=_bypass, refuse=_refuse_bypass, concerns=_pads_nothing),
    Rule((_WITH_VALUE,), rewrite=_make_plain, refuse=_refuse_plain),
)
