"""Pools: the largest of the INT8 values, exact, or their mean, rounded to an INT8 value."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from intel_quantization.graph.attributes import DT_QINT8, DT_QUINT8, attribute, dtype_attr, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.kinds.linear_kind import Form, Kernel
from intel_quantization.kinds.pass_through_kind import NodeCase, PassThroughKind, ValuesCase
from intel_quantization.kinds.range_flow import SAME_AS_READ, RangeFlow
from intel_quantization.kinds.rules import RefusalRule


def _pools_elsewhere(case: NodeCase) -> bool:
    window = list(attribute(case.node, "ksize").list.i)
    return window[0] != 1 or window[3] != 1


def _is_global(case: ValuesCase) -> bool:
    return case.result is not None and case.result[1:3] == (1, 1)


class Pool(PassThroughKind):
    """A pool over height and width."""

    told = True
    takes_lifted = True
    refusals = (
        RefusalRule(lambda case: not is_channels_last(case.node), "data format NCHW has no INT8 kernel"),
        RefusalRule(_pools_elsewhere, "pooling over images or channels has no INT8 kernel"),
        RefusalRule(
            lambda case: attribute(case.node, "padding").s not in (b"SAME", b"VALID"),
            lambda case: "explicit padding has no INT8 kernel for %s" % case.node.op,
        ),
    )

    @property
    def flows(self) -> Mapping[str, RangeFlow]:
        """The range stays."""
        return {"Quantized" + self.op: SAME_AS_READ}

    def kernels(self, dtype: int) -> Sequence[Kernel]:
        """Of the op on INT8 types."""
        return (Kernel("Quantized" + self.op, {"T": dtype}),)

    def emit(self, graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int, name: str) -> str:
        """Add the op on INT8 types."""
        attrs: Dict[str, Any] = {"T": dtype_attr(sources[0].dtype)}
        attrs.update({key: attribute(node, key) for key in ("ksize", "strides", "padding")})
        inputs = [sources[0].tensor, sources[0].low, sources[0].high, *graph.control_inputs(node)]
        return graph.add("Quantized" + self.op, name, inputs, attrs, node.device).name

    def forms(self) -> Tuple[Form, ...]:
        """By sign."""
        unsigned, signed = (self.kernels(dtype)[0] for dtype in (DT_QUINT8, DT_QINT8))
        return (Form(self.op, unsigned), Form("… of a signed tensor", signed))


class AveragePool(Pool):
    """A pool that gives means."""

    obstacles = (RefusalRule(_is_global, "a mean over the whole image keeps its digits in float32, and is small"),)
