"""Ops that move values, or see the same values in another shape."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from intel_quantization.graph.attributes import DT_QINT8, dtype_attr, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.int8_tensor import Int8Tensor, as_bytes
from intel_quantization.kinds.linear_kind import Form, Kernel
from intel_quantization.kinds.pass_through_kind import PassThroughKind, copied_attrs
from intel_quantization.kinds.range_flow import SAME, RangeFlow
from intel_quantization.kinds.rules import RefusalRule


class Reshaping(PassThroughKind):
    """The op itself on INT8 types; nothing is computed, the result is the memory of the input."""

    shares_memory = True
    takes_lifted = True

    @property
    def flows(self) -> Mapping[str, RangeFlow]:
        """The range stays."""
        return {self.op: SAME}

    def kernels(self, dtype: int) -> Sequence[Kernel]:
        """Of the op itself."""
        return (Kernel(self.op, {"T": dtype}),)

    def emit(self, graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int, name: str) -> str:
        """Add the op itself."""
        attrs = dict(copied_attrs(node), T=dtype_attr(sources[0].dtype))
        inputs = [sources[0].tensor, *graph.data_inputs(node)[1:], *graph.control_inputs(node)]
        return graph.add(node.op, name, inputs, attrs, node.device).name

    def forms(self) -> Tuple[Form, ...]:
        """One row for all of them, by the first."""
        if self.op != "Reshape":
            return ()
        return (Form("Reshape, Squeeze, ExpandDims", Kernel(self.op, {"T": DT_QINT8})),)


class MovingBytes(PassThroughKind):
    """The op itself on bytes (uint8, int8), which have kernels where INT8 types have none.

    It moves values, or fills up with zeros. On 4x56x56x64 values this took 0 to 0.4 ms, with a Dequantize and a
    QuantizeV2 around the op 0.4 to 1.5 ms; StridedSlice 1.6 and 1.9 ms.

    Args:
        op: its name in FP32 graphs.
        has_data_format: whether it works on images, and NHWC is what bytes have kernels for.
    """

    shares_memory = True  # a Bitcast gives the memory that it reads

    def __init__(self, op: str, has_data_format: bool = False) -> None:
        super().__init__(op)
        if has_data_format:
            self.refusals = (
                RefusalRule(lambda case: not is_channels_last(case.node), "data format NCHW has no INT8 kernel"),
            )

    @property
    def flows(self) -> Mapping[str, RangeFlow]:
        """The range stays."""
        return {self.op: SAME, "Bitcast": SAME}

    def kernels(self, dtype: int) -> Sequence[Kernel]:
        """Of the op on bytes, and of the way there."""
        plain = as_bytes(dtype)
        return (Kernel(self.op, {"T": plain}), Kernel("Bitcast", {"T": dtype, "type": plain}))

    def emit(self, graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int, name: str) -> str:
        """Add the op between two Bitcasts."""
        source = sources[0]
        int8, plain = dtype_attr(source.dtype), dtype_attr(as_bytes(source.dtype))

        def add(op: str, suffix: str, inputs: List[str], attrs: Dict[str, Any]) -> str:
            return graph.add(op, graph.unique_name("%s/%s" % (name, suffix)), inputs, attrs, node.device).name

        data = add("Bitcast", "bytes", [source.tensor], {"T": int8, "type": plain})
        inputs = [data, *graph.data_inputs(node)[1:], *graph.control_inputs(node)]
        moved = add(node.op, "moved", inputs, dict(copied_attrs(node), T=plain))
        return graph.add("Bitcast", name, [moved], {"T": plain, "type": int8}, node.device).name
