"""Signed values as quint8: lifted by what makes the smallest of them zero, which the reader's bias takes back.

::

    op(x, w) + b == op(x + s, w) + (b - s * sum(w))        s = -min(x), where op pads nothing

The levels of a signed tensor are then all used, however skew it is: qint8 has -127 to 127 for -max|x| to max|x|,
and spends half of them on a linear bottleneck or a hard-swish that hardly goes below zero. And kernels without
VNNI halve the weights of a convolution that reads qint8 (an int16 would saturate otherwise), so there it is worth
one bit more.

Who lifts: a convolution without an activation by its own bias, with a ReLU that cuts nothing off (``Group.shifted``);
ahead of a QuantizeV2 an Add. Who takes it: matrix products, convolutions that pad nothing, the summand of a residual
addition, and FP32, by a Dequantize in MIN_FIRST mode (no slower than in SCALED mode, measured); that rounds its lower
end to a whole number of steps, so s is one. A convolution that pads reads zeros around the image, which would have to
be s: of an image with few channels FP32 pads ahead of lifting (0.02 to 0.08 ms at 224x224x3, measured).
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Union

from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.inferred_shapes import infer_shape
from intel_quantization.kinds.group import Group, Pads
from intel_quantization.kinds.registry import LINEAR, PASS_THROUGH
from intel_quantization.quantize.pass_through import PassThrough

Item = Union[Group, PassThrough]
# Padding an image of so many channels in FP32 costs next to nothing.
_FEW_CHANNELS = 4


class Readers:
    """What may read each tensor in INT8.

    Args:
        graph: the FP32 graph.
        items: all candidates, and what may pass INT8 values on.
    """

    def __init__(self, graph: Graph, items: Sequence[Item]) -> None:
        self._graph = graph
        self._readers: Dict[str, List[Item]] = {}
        for item in items:
            read = item.sources if isinstance(item, PassThrough) else (item.source, item.summand)
            for tensor in {name for name in read if name}:
                self._readers.setdefault(tensor, []).append(item)

    def take_lifted(self, tensor: str) -> bool:
        """Whether all that may read a tensor in INT8 can read it lifted."""
        stack = [tensor]
        while stack:
            read = stack.pop()
            for item in self._readers.get(read, ()):
                if isinstance(item, PassThrough):
                    if not PASS_THROUGH[item.op].takes_lifted:
                        return False
                    stack.append(item.root)
                elif item.source == read and not pads_nothing(self._graph, item):
                    return False
        return True


def pads_nothing(graph: Graph, group: Group) -> bool:
    """Whether a group reads no zeros but those of its source."""
    node = graph.nodes[group.linear]
    weights = graph.constant(graph.data_inputs(node)[1])
    assert weights is not None  # a condition of every candidate
    return LINEAR[group.op].pads_nothing(node, group, weights.shape)


def pads_ahead(graph: Graph, group: Group, shape: Optional[Sequence[Optional[int]]]) -> Optional[Pads]:
    """The padding that FP32 can do ahead of lifting at next to no cost; None where there is none.

    Args:
        graph: the FP32 graph.
        group: one whose source is FP32.
        shape: of its source, as it was seen.
    """
    if not LINEAR[group.op].pads_ahead or shape is None or len(shape) != 4 or not 0 < (shape[3] or 0) <= _FEW_CHANNELS:
        return None
    if group.pads is not None:
        return group.pads
    node = graph.nodes[group.linear]
    if attribute(node, "padding").s != b"SAME":
        return None
    weights = graph.constant(graph.data_inputs(node)[1])
    assert weights is not None  # a condition of every candidate
    strides = list(attribute(node, "strides").list.i)[1:3]
    dilations = list(attribute(node, "dilations").list.i)[1:3] or [1, 1]
    windows = [(size - 1) * dilation + 1 for size, dilation in zip(weights.shape[:2], dilations)]
    sizes: Sequence[Optional[int]] = (None, None)
    if any(stride > 1 for stride in strides):
        known = infer_shape(graph, group.source)
        sizes = known[1:3] if known and len(known) == 4 else sizes
    result: List[int] = []
    for size, window, stride in zip(sizes, windows, strides):
        if stride == 1:
            total = window - 1
        elif size is None:
            return None  # how much SAME pads depends on the size
        else:
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
        result += [total // 2, total - total // 2]
    return (result[0], result[1], result[2], result[3])
