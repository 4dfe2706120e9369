"""All kinds, by the op's name in FP32 graphs. A new one is one line here, beside the file that knows it."""

from __future__ import annotations

from typing import Dict, Iterable, Mapping, TypeVar

from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.concat import Concat
from intel_quantization.kinds.conv2d import Conv2D
from intel_quantization.kinds.depthwise import Depthwise
from intel_quantization.kinds.layout import Layout
from intel_quantization.kinds.linear_kind import LinearKind
from intel_quantization.kinds.matmul import MatMul
from intel_quantization.kinds.moving import MovingBytes, Reshaping
from intel_quantization.kinds.pad import Pad
from intel_quantization.kinds.pass_through_kind import PassThroughKind
from intel_quantization.kinds.pooling import AveragePool, Pool
from intel_quantization.kinds.range_flow import NONE, SAME, RangeFlow, Result

_Kind = TypeVar("_Kind", LinearKind, PassThroughKind)


def register(kinds: Iterable[_Kind], flows: Dict[str, RangeFlow]) -> Mapping[str, _Kind]:
    """Kinds by their ops; how ranges pass their INT8 ops goes into ``flows``.

    Python itself makes no kind that lacks one of its abstract parts, ``flows`` among them.

    Raises:
        ValueError: a kind does not say how ranges pass one of its INT8 ops, says otherwise than another kind, or its
            op is there already.
    """
    result: Dict[str, _Kind] = {}
    for kind in kinds:
        if kind.op in result:
            raise ValueError("%s is there already" % kind.op)
        if not kind.flows:
            raise ValueError("%s does not say how ranges pass it" % kind.op)
        for form in kind.forms():
            if form.kernel.op not in kind.flows:
                raise ValueError("%s does not say how ranges pass its INT8 op %s" % (kind.op, form.kernel.op))
        for op, flow in kind.flows.items():
            if flows.setdefault(op, flow) != flow:
                raise ValueError("ranges pass %s in two ways: as %s says, and otherwise" % (op, kind.op))
        result[kind.op] = kind
    return result


FLOWS: Dict[str, RangeFlow] = {
    "QuantizeV2": RangeFlow(Result.GIVEN, reads=False),
    "Dequantize": NONE,
    "Identity": SAME,
}
"""How ranges pass each op that INT8 graphs are made of."""

LINEAR: Mapping[str, LinearKind] = register((Conv2D(), Depthwise(), MatMul()), FLOWS)

PASS_THROUGH: Mapping[str, PassThroughKind] = register(
    (
        Pool("MaxPool"),
        AveragePool("AvgPool"),
        Concat("ConcatV2"),
        Reshaping("Reshape"),
        Reshaping("Squeeze"),
        Reshaping("ExpandDims"),
        MovingBytes("Transpose"),
        MovingBytes("Slice"),
        MovingBytes("StridedSlice"),
        MovingBytes("SpaceToBatchND"),
        MovingBytes("BatchToSpaceND"),
        MovingBytes("DepthToSpace", has_data_format=True),
        MovingBytes("SpaceToDepth", has_data_format=True),
        MovingBytes("ResizeNearestNeighbor"),
        MovingBytes("MirrorPad"),
        MovingBytes("Tile"),
        Pad("Pad"),
    ),
    FLOWS,
)

WITHOUT_KERNEL = frozenset(
    ["BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2"]
    + ["DepthwiseConv2dNativeBackpropInput", "Einsum"]
)
"""Linear, too, but no TensorFlow has an INT8 kernel that oneDNN runs for them."""

TOLD = frozenset(op for op, kind in PASS_THROUGH.items() if kind.told)
"""Ops beside the linear ones whose decisions are told one by one."""


def kind_of(node: NodeDef) -> LinearKind:
    """The kind of a linear op.

    Raises:
        KeyError: it is none.
    """
    return LINEAR[node.op]


def layout_of(node: NodeDef) -> Layout:
    """How the weights of a linear op are laid out."""
    return LINEAR[node.op].layout(node)
