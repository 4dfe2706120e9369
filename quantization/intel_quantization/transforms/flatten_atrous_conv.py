"""Write SpaceToBatchND, Conv2D, BatchToSpaceND as one dilated convolution.

::

    BatchToSpaceND(Conv2D(SpaceToBatchND(x, d, p), VALID), d, c) == Conv2D(x, EXPLICIT, p - c, dilations = d)

Each of the ``d`` phases of rows (columns) of the padded input is convolved by itself, which is what a
dilated convolution does; interleaved again, they are the result on all the padded input, of which the crops
take from the margins (tf.nn.convolution; array_ops.required_space_to_batch_paddings). SAME is written
where the margins are those of SAME: for stride 1, ``d * (k - 1)`` in all, the larger half behind.

Conditions: constant and equal block shapes of two dimensions, constant paddings and crops, none of the crops
larger than its padding; an NHWC float32 Conv2D with constant weights, stride 1, dilation 1 and VALID; nothing
else reads what is between. A depthwise convolution stays as it is: a dilated one has no kernel in
TensorFlow 2.21 without oneDNN.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from intel_quantization.graph.attributes import attr_value, attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Any, Const, Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.linear import output_channels
from intel_quantization.transforms.support.spatial import Margins, set_margins
from intel_quantization.transforms.support.take_place import take_place

_SPLIT = Op("SpaceToBatchND", inputs=(Any("x"), Const("block", 1), Const("paddings", 2)), bind="split", private=True)
_CONV = Op("Conv2D", inputs=(_SPLIT, Const("weights", 4)), bind="conv", private=True)
_PATTERN = Op("BatchToSpaceND", inputs=(_CONV, Const("block_behind", 1), Const("crops", 2)))


def _refuse(_graph: Graph, _node: NodeDef, found: Match) -> str:
    conv, values = found.nodes["conv"], found.values
    if output_channels(conv, values["weights"]) is None:
        return "'%s' is not float32" % conv.name
    if not is_channels_last(conv):
        return "'%s' is not NHWC" % conv.name
    if attribute(conv, "padding").s != b"VALID":
        return "'%s' pads each phase by itself" % conv.name
    if any(size != 1 for key in ("strides", "dilations") for size in attribute(conv, key).list.i):
        return "'%s' has a stride or a dilation" % conv.name
    if values["block"].shape != (2,) or not np.array_equal(values["block"], values["block_behind"]):
        return "the blocks before and behind '%s' are not the same" % conv.name
    if _margins(found) is None:
        return "more is cropped behind '%s' than was padded before it" % conv.name
    return ""


def _margins(found: Match) -> Optional[Margins]:
    top, bottom, left, right = (int(size) for size in (found.values["paddings"] - found.values["crops"]).reshape(-1))
    return (top, bottom, left, right) if min(top, bottom, left, right) >= 0 else None


def _flatten(graph: Graph, node: NodeDef, found: Match) -> None:
    conv, margins = found.nodes["conv"], _margins(found)
    assert margins is not None  # _refuse has looked
    rows, columns = (int(size) for size in found.values["block"])
    graph.set_input(conv, 0, found.tensors["x"])
    conv.attr["dilations"].CopyFrom(attr_value([1, rows, columns, 1]))
    totals = [size * (kernel - 1) for size, kernel in zip((rows, columns), found.values["weights"].shape)]
    same = tuple(part for total in totals for part in (total // 2, total - total // 2))
    if margins == same and any(margins):
        conv.attr["padding"].s = b"SAME"
    else:
        set_margins(conv, margins)
    graph.sweep([found.nodes["split"].name])
    take_place(graph, node, conv.name)


flatten_atrous_conv = Rules("flatten_atrous_conv", Rule((_PATTERN,), rewrite=_flatten, refuse=_refuse))
