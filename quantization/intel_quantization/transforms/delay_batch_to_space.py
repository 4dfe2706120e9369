"""Put BatchToSpaceND behind the bias, batch norm and activation that follow it, which then follow the convolution.

::

    Relu(BiasAdd(BatchToSpaceND(depthwise(SpaceToBatchND(x))), b)) == BatchToSpaceND(Relu(BiasAdd(depthwise(…), b)))

BatchToSpaceND moves values, and what stands behind it looks at one value, and its channel, at a time (NHWC). So a
dilated depthwise convolution, which has no op of its own (see :mod:`.flatten_atrous_conv`), is fused with what belongs
to it, and the phases stay INT8 until they are joined.

Conditions: nothing else reads what is between; other operands are constant, and differ along the channels at most.
"""

from __future__ import annotations

from typing import Union

from intel_quantization.graph.attributes import attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Match, Mismatch, Op
from intel_quantization.kinds.registry import LINEAR
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.take_place import take_place

_UNARY = ("Relu", "Relu6", "LeakyRelu", "Elu", "Sigmoid", "Tanh")
_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_BINARY = ("Add", "AddV2", "Sub", "Mul", "BiasAdd", "Minimum", "Maximum")


def _concerns(graph: Graph, node: NodeDef) -> bool:
    readers = graph.consumers(node.name)
    is_movable = any(reader.op in (*_UNARY, *_NORMS, *_BINARY) for reader in readers)
    return is_movable and _follows_linear(graph, node)


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> Union[str, Mismatch]:
    if not graph.is_private(node.name) or graph.control_inputs(node):
        return "'%s' is also read elsewhere, or waits for other nodes" % node.name
    block, crops = (graph.constant(name) for name in graph.data_inputs(node)[1:])
    if block is None or crops is None:
        return "the block or the crops of '%s' are not constant" % node.name
    if block.size > 2:
        return "'%s' moves channels" % node.name
    reader = graph.consumers(node.name)[0]
    reason = _refuse_reader(graph, node, reader)
    return Mismatch(reason, node=reader.name) if reason else ""


def _refuse_reader(graph: Graph, node: NodeDef, reader: NodeDef) -> str:
    """Why a reader stays behind a BatchToSpaceND; empty where it goes ahead."""
    inputs = graph.data_inputs(reader)
    if graph.control_inputs(reader):
        return "'%s' waits for other nodes" % reader.name
    if reader.op in _UNARY:
        return ""
    if reader.op in _NORMS:
        if inputs[0] != node.name or not is_channels_last(reader) or attribute(reader, "is_training").b:
            return "'%s' does not norm each channel by itself" % reader.name
        results = ["%s:%d" % (reader.name, output) for output in range(1, 6)]
        read = any(graph.readers(name) or name in graph.outputs for name in results)
        return "'%s' gives more than the normed values" % reader.name if read else ""
    if reader.op == "BiasAdd" and not is_channels_last(reader):
        return "'%s' is not NHWC" % reader.name
    others = [graph.constant(name) for name in inputs if name != node.name]
    if len(others) != 1 or others[0] is None or others[0].ndim > 4:
        return "the other operand of '%s' is not constant" % reader.name
    if others[0].size != (others[0].shape[-1] if others[0].ndim else 1):
        return "the other operand of '%s' differs along more than the channels" % reader.name
    return ""


def _delay(graph: Graph, node: NodeDef, found: Match) -> None:
    """Move a BatchToSpaceND as far as it goes."""
    while True:
        node = _swap(graph, node, graph.consumers(node.name)[0])
        if not _concerns(graph, node) or _refuse(graph, node, found) != "":  # a Mismatch is false
            return


def _follows_linear(graph: Graph, node: NodeDef) -> bool:
    """Whether a convolution, with what was put in front of the node already, is before it."""
    while True:
        node = graph.producer(graph.data_inputs(node)[0])
        if node.op in LINEAR:
            return LINEAR[node.op].spatial  # else the results have no height and width
        if node.op not in (*_UNARY, *_NORMS, *_BINARY):
            return False


def _swap(graph: Graph, node: NodeDef, reader: NodeDef) -> NodeDef:
    """Exchange a BatchToSpaceND and its reader, whose name keeps its value; returns the BatchToSpaceND."""
    phases, *operands = graph.data_inputs(node)
    ahead = graph.unique_name(reader.name + "/of_phases")
    inputs = [phases if name == node.name else name for name in graph.data_inputs(reader)]
    graph.add(reader.op, ahead, inputs, dict(reader.attr.items()), reader.device)
    joined = graph.unique_name(reader.name + "/joined")
    made = graph.add(node.op, joined, [ahead, *operands], dict(node.attr.items()), node.device)
    take_place(graph, reader, joined)
    return made


delay_batch_to_space = Rules(
    "delay_batch_to_space",
    Rule((Op("BatchToSpaceND", inputs=(Any("phases"),)),), rewrite=_delay, refuse=_refuse, concerns=_concerns),
)
