"""DepthwiseConv2dNative, by two ops: one of them does what the older one cannot.

Signed input, no activation behind, or a Pad in it: ``_FusedQuantizedDepthwiseConv2D`` (mkl_conv_ops.cc,
MklQuantizedConvOp) takes every combination of signs, and of activations only a ReLU. Elsewhere the older op serves as
well and as fast, in more versions of TensorFlow. The older op pads, too, but infers its shape without
(``padding_list`` is not in DepthwiseConv2DNativeShape): what stands behind it then has wrong static shapes, and a pool
or a concatenation there may not even be imported.
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

from tensorflow.core.framework.attr_value_pb2 import AttrValue

from intel_quantization.graph.attributes import DT_FLOAT, attribute
from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.images import ImageKind, image_types
from intel_quantization.kinds.layout import HWCM, Layout
from intel_quantization.kinds.linear_kind import Form, GroupCase, Kernel, example
from intel_quantization.kinds.range_flow import GIVEN, RangeFlow, Result
from intel_quantization.kinds.rules import RefusalRule

OLDER = "QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize"
NEWER = "_FusedQuantizedDepthwiseConv2D"
# Its OpDef has one list of inputs: these, where nothing is added.
_ARGUMENTS = ("input", "filter", "bias", "min_input", "max_input", "min_filter", "max_filter") + (
    "min_freezed_output",
    "max_freezed_output",
)
# Measured on one core of a Xeon with AMX, TensorFlow 2.14, 3x3 at 112x112x32 to 14x14x512, batch 1 and 16: behind
# INT8 a block of this and a 1x1 convolution is 1.3 to 2.4 times as fast as with a float32 depthwise convolution;
# between swishes, which are float32, 0.85 to 1.1 times.
NOT_FASTER = "DepthwiseConv2dNative on float32 input, signed or without a ReLU behind it, is not faster in INT8"


def _is_slower(case: GroupCase) -> bool:
    if not case.from_float or (case.unsigned and case.group.activation):
        return False
    return case.capabilities.has_kernel(NEWER, **_newer_types(case.group, case.unsigned))


class Depthwise(ImageKind):
    """A depthwise convolution."""

    op = "DepthwiseConv2dNative"
    flows = {OLDER: GIVEN, NEWER: RangeFlow(Result.GIVEN, arguments=_ARGUMENTS)}
    saturates = False  # its kernels multiply in int32
    lifts_source = False
    padding = (NEWER, "explicit_paddings")
    refusals = (
        RefusalRule(
            lambda case: attribute(case.node, "padding").s == b"EXPLICIT",
            "explicit padding has no INT8 kernel for DepthwiseConv2dNative",
        ),
    )
    obstacles = (
        RefusalRule(_is_slower, NOT_FASTER),
        RefusalRule(
            lambda case: not case.unsigned and not case.has_kernel,
            lambda case: case.without("signed input has no INT8 kernel for DepthwiseConv2dNative"),
        ),
        RefusalRule(
            lambda case: not case.group.gives_unsigned and not case.has_kernel,
            lambda case: case.without("DepthwiseConv2dNative has no INT8 kernel without a ReLU behind it"),
        ),
    )

    def layout(self, node: NodeDef) -> Layout:
        """Height, width, channels, outputs of each channel."""
        return HWCM

    def kernel(self, group: Group, unsigned: bool, signed_summand: bool = False) -> Kernel:
        """The newer op where only that can do it."""
        if group.pads is not None or not (unsigned and group.gives_unsigned):
            return Kernel(NEWER, _newer_types(group, unsigned))
        return Kernel(OLDER, image_types(group, unsigned))

    def attributes(self, node: NodeDef, group: Group, kernel: Kernel) -> Dict[str, Any]:
        """Those of images; the newer op pads by ``explicit_paddings``, and is told what it fuses."""
        attrs = super().attributes(node, group, kernel)
        if kernel.op == OLDER:
            return attrs
        pads = attrs.pop("padding_list", None)
        if pads is not None:
            attrs.update(padding="EXPLICIT", explicit_paddings=pads)
        attrs.update(
            Tdevice_inputs=_types(*(kernel.types[key] for key in ("Tinput", "Tfilter", "Tbias"))),
            Thost_inputs=_types(*[DT_FLOAT] * 6),  # the ranges of source, weights and result
            Tdevice_outputs=_types(kernel.types["out_type"]),
            Thost_outputs=_types(DT_FLOAT, DT_FLOAT),
            fused_ops=["BiasAdd", "Relu", "Requantize"] if group.gives_unsigned else ["BiasAdd", "Requantize"],
        )
        return attrs

    def forms(self) -> Tuple[Form, ...]:
        """By activation and Pad."""
        plain = self.kernel(example(self.op), False)
        return (
            Form("DepthwiseConv2dNative and ReLU", self.kernel(example(self.op, "Relu"), True)),
            Form("… with a Pad in it", plain, self.padding[1]),
            Form("… without a ReLU, or on signed input", plain),
        )


def _newer_types(group: Group, unsigned: bool) -> Dict[str, int]:
    types = image_types(group, unsigned)
    return dict(types, Tsummand=types["out_type"])  # which it has to be without a Sum


def _types(*numbers: int) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(type=numbers))
