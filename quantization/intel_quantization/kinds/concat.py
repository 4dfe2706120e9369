"""ConcatV2: inputs of one range are copied; others are scaled to the widest."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

from intel_quantization.graph.attributes import DT_INT32, DT_QINT8, DT_QUINT8, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.kinds.linear_kind import Form, Kernel
from intel_quantization.kinds.pass_through_kind import PassThroughKind
from intel_quantization.kinds.range_flow import WIDEST
from intel_quantization.kinds.rules import RefusalRule

_INT8 = "QuantizedConcatV2"


class Concat(PassThroughKind):
    """A concatenation, by QuantizedConcatV2."""

    told = True
    joins = True
    flows = {_INT8: WIDEST}
    refusals = (
        RefusalRule(
            lambda case: case.graph.constant(case.graph.data_inputs(case.node)[-1]) is None, "the axis is not constant"
        ),
    )

    def kernels(self, dtype: int) -> Sequence[Kernel]:
        """Of the op on INT8 types."""
        return (Kernel(_INT8, {"T": dtype}),)

    def emit(self, graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int, name: str) -> str:
        """Add the op on INT8 types."""
        attrs: Dict[str, Any] = {"T": dtype_attr(sources[0].dtype), "N": len(sources), "Tidx": dtype_attr(DT_INT32)}
        inputs = [source.tensor for source in sources]
        inputs.append(_axis(graph, node, sources[0].tensor))
        inputs += [source.low for source in sources] + [source.high for source in sources]
        return graph.add(_INT8, name, inputs + graph.control_inputs(node), attrs, node.device).name

    def forms(self) -> Tuple[Form, ...]:
        """By sign."""
        unsigned, signed = (self.kernels(dtype)[0] for dtype in (DT_QUINT8, DT_QINT8))
        return (Form(self.op, unsigned), Form("… of signed tensors", signed))


def _axis(graph: Graph, node: NodeDef, beside: str) -> str:
    """The axis of a ConcatV2 as int32: QuantizedConcatV2 fails on any other."""
    tensor = graph.data_inputs(node)[-1]
    axis = graph.constant(tensor)
    assert axis is not None  # one of the refusals
    if attribute(node, "Tidx").type in (0, DT_INT32):
        return tensor
    return graph.add_constant(node.name + "/axis", axis.astype("int32"), beside=beside)
