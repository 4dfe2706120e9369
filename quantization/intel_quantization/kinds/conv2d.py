"""Conv2D, with a residual addition and an activation."""

from __future__ import annotations

from typing import Tuple

from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.images import ImageKind, image_types
from intel_quantization.kinds.layout import HWIO, Layout
from intel_quantization.kinds.linear_kind import Form, Kernel, example, int8_type
from intel_quantization.kinds.range_flow import GIVEN
from intel_quantization.kinds.rules import RefusalRule

_PLAIN = "QuantizedConv2DWithBiasAndRequantize"
_RELU = "QuantizedConv2DWithBiasAndReluAndRequantize"
_SUM = "QuantizedConv2DWithBiasSumAndReluAndRequantize"
_SIGNED_SUM = "QuantizedConv2DWithBiasSignedSumAndReluAndRequantize"


class Conv2D(ImageKind):
    """A convolution, which adds another tensor, too."""

    op = "Conv2D"
    flows = dict.fromkeys((_PLAIN, _RELU, _SUM, _SIGNED_SUM), GIVEN)
    adds = True
    pads_ahead = True
    padding = (_RELU, "padding_list")
    obstacles = (
        RefusalRule(lambda case: case.shape[3] != case.weights.shape[2], "a grouped convolution has no INT8 kernel"),
    )

    def layout(self, node: NodeDef) -> Layout:
        """Height, width, inputs, outputs."""
        return HWIO

    def kernel(self, group: Group, unsigned: bool, signed_summand: bool = False) -> Kernel:
        """By the addition and the activation."""
        types = image_types(group, unsigned)
        if group.summand is not None:
            types["Tsummand"] = int8_type(not signed_summand)
            return Kernel(_SIGNED_SUM if signed_summand else _SUM, types)
        return Kernel(_RELU if group.gives_unsigned else _PLAIN, types)

    def forms(self) -> Tuple[Form, ...]:
        """By activation, sign, Pad and addition."""
        relu, added = example(self.op, "Relu"), example(self.op, "Relu", "summand")
        return (
            Form("Conv2D", self.kernel(example(self.op), True)),
            Form("Conv2D and ReLU", self.kernel(relu, True)),
            Form("… on signed input", self.kernel(relu, False)),
            Form("… with a Pad in it", self.kernel(relu, True), self.padding[1]),
            Form("Conv2D, addition and ReLU", self.kernel(added, True)),
            Form("… of a signed tensor", self.kernel(added, True, True)),
        )
