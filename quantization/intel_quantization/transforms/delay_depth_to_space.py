"""Put DepthToSpace, and a Slice behind it, behind what follows a convolution, so that this is fused with it.

::

    Relu(BiasAdd(Slice(DepthToSpace(conv(x))), b))  ==  Slice(DepthToSpace(Relu(BiasAdd(conv(x), [b, b, b, b]))))

Both move values, and what stands behind them looks at one value, and its channel, at a time. So transposed
convolutions (:mod:`.write_transposed_convs`) and sub-pixel convolutions end. Conditions: float32, NHWC; nothing else
reads what is between; other operands are constant, and differ along the channels at most; the Slice keeps all channels.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Match, Op
from intel_quantization.graph.waits import waits_of
from intel_quantization.kinds.registry import LINEAR
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.take_place import take_place

_UNARY = ("Relu", "Relu6", "LeakyRelu", "Elu", "Sigmoid", "Tanh")
_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_BINARY = ("Add", "AddV2", "Sub", "Mul", "BiasAdd", "Minimum", "Maximum")


def _chain(graph: Graph, node: NodeDef) -> Tuple[List[NodeDef], Optional[NodeDef]]:
    """A DepthToSpace with the Slice behind it, and what alone reads them; None where that is not one node."""
    chain = [node]
    while graph.is_private(chain[-1].name) and not graph.control_inputs(chain[-1]):
        reader = graph.consumers(chain[-1].name)[0]
        if len(chain) > 1 or not _cuts_images(graph, reader):
            return chain, None if graph.control_inputs(reader) else reader
        chain.append(reader)
    return chain, None


def _cuts_images(graph: Graph, node: NodeDef) -> bool:
    """Whether a node is a Slice that keeps all channels."""
    if node.op != "Slice":
        return False
    places = [graph.constant(name) for name in graph.data_inputs(node)[1:]]
    begin, size = places
    return begin is not None and size is not None and begin.shape == (4,) and begin[3] == 0 and size[3] == -1


def _follows_linear(graph: Graph, node: NodeDef) -> bool:
    """Whether a convolution, with what was put in front of the node already, is before it."""
    while True:
        node = graph.producer(graph.data_inputs(node)[0])
        if node.op in LINEAR:
            return LINEAR[node.op].spatial
        if node.op not in (*_UNARY, *_NORMS, *_BINARY):
            return False


def _concerns(graph: Graph, node: NodeDef) -> bool:
    if attribute(node, "T").type != DT_FLOAT or not is_channels_last(node) or not _follows_linear(graph, node):
        return False
    reader = _chain(graph, node)[1]
    return reader is not None and reader.op in (*_UNARY, *_NORMS, *_BINARY)


def _refuse(graph: Graph, node: NodeDef, _found: Match) -> str:
    chain, reader = _chain(graph, node)
    assert reader is not None  # _concerns has looked
    if not is_channels_last(reader):
        return "'%s' is not NHWC" % reader.name
    inputs = graph.data_inputs(reader)
    others = [graph.constant(name) for name in inputs if name != chain[-1].name]
    if reader.op in _NORMS:
        if inputs[0] != chain[-1].name or "is_training" not in reader.attr or reader.attr["is_training"].b:
            return "'%s' does not norm each channel by itself" % reader.name
        results = ["%s:%d" % (reader.name, output) for output in range(1, 6)]
        if any(graph.readers(name) or name in graph.outputs for name in results):
            return "'%s' gives more than the normed values" % reader.name
    elif reader.op in _BINARY and len(others) != 1:
        return "'%s' reads it twice" % reader.name
    if any(other is None or not _is_along_channels(other) for other in others):
        return "the other operand of '%s' is not constant along the channels" % reader.name
    return ""


def _is_along_channels(value: np.ndarray) -> bool:
    return value.ndim <= 4 and value.size == (value.shape[-1] if value.ndim else 1)


def _delay(graph: Graph, node: NodeDef, found: Match) -> None:
    """Move a DepthToSpace as far as it goes."""
    while True:
        chain, reader = _chain(graph, node)
        assert reader is not None  # _concerns has looked
        node = _swap(graph, chain, reader)
        if not _concerns(graph, node) or _refuse(graph, node, found):
            return


def _swap(graph: Graph, chain: Sequence[NodeDef], reader: NodeDef) -> NodeDef:
    """Exchange a chain and its reader, whose name keeps its value; returns the DepthToSpace."""
    deep, copies = graph.data_inputs(chain[0])[0], int(attribute(chain[0], "block_size").i) ** 2
    inputs = [
        deep if name == chain[-1].name else _tile(graph, reader, name, copies, deep)
        for name in graph.data_inputs(reader)
    ]
    ahead = graph.unique_name(reader.name + "/deep")
    graph.add(reader.op, ahead, inputs, dict(reader.attr.items()), reader.device)
    last, made = ahead, []
    for node in chain:
        operands = graph.data_inputs(node)[1:]
        name = graph.unique_name("%s/%s" % (reader.name, "cut" if node.op == "Slice" else "spaced"))
        made.append(graph.add(node.op, name, [last, *operands], dict(node.attr.items()), node.device))
        last = name
    take_place(graph, reader, last)
    return made[0]


def _tile(graph: Graph, reader: NodeDef, tensor: str, copies: int, beside: str) -> str:
    """A constant operand for channels that stand for several positions."""
    value = graph.constant(tensor)
    assert value is not None  # _refuse has looked
    if value.size == 1 and reader.op not in (*_NORMS, "BiasAdd"):
        return tensor
    waits = waits_of(graph, [tensor])
    return graph.add_constant(
        reader.name + "/by_position", np.tile(value.reshape(-1), copies), beside=beside, waits=waits
    )


delay_depth_to_space = Rules(
    "delay_depth_to_space",
    Rule((Op("DepthToSpace", inputs=(Any("deep"),)),), rewrite=_delay, refuse=_refuse, concerns=_concerns),
)
