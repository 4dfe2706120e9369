"""Depthwise convolutions that the older op cannot do: signed input, no activation behind, or a Pad in it.

``_FusedQuantizedDepthwiseConv2D`` (mkl_conv_ops.cc, MklQuantizedConvOp) takes every combination of signs, and
of activations only a ReLU. Elsewhere the older op serves as well and as fast, in more versions of TensorFlow.
The older op pads, too, but infers its shape without (``padding_list`` is not in DepthwiseConv2DNativeShape): what
stands behind it then has wrong static shapes, and a pool or a concatenation there may not even be imported.
"""

from __future__ import annotations

from typing import Any, Dict

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8, AttrValue
from intel_quantization.quantize.groups import Group

FUSED_DEPTHWISE = "_FusedQuantizedDepthwiseConv2D"
# Measured on one core of a Xeon with AMX, TensorFlow 2.14, 3x3 at 112x112x32 to 14x14x512, batch 1 and 16: behind
# INT8 a block of this and a 1x1 convolution is 1.3 to 2.4 times as fast as with a float32 depthwise convolution;
# between swishes, which are float32, 0.85 to 1.1 times.
NOT_FASTER = "DepthwiseConv2dNative on float32 input, signed or without a ReLU behind it, is not faster in INT8"


def needs_fused_op(group: Group, unsigned: bool) -> bool:
    """Whether only the newer op can do a group.

    Args:
        group: any.
        unsigned: whether its source is quint8.
    """
    return group.op == "DepthwiseConv2dNative" and (group.pads is not None or not (unsigned and group.gives_unsigned))


def fused_types(group: Group, unsigned: bool) -> Dict[str, int]:
    """The types that a kernel of the newer op has to take, by attribute."""
    result = DT_QUINT8 if group.gives_unsigned else DT_QINT8
    source = DT_QUINT8 if unsigned else DT_QINT8
    # without a Sum, Tsummand has to be out_type
    return {"Tinput": source, "Tfilter": DT_QINT8, "Tbias": DT_FLOAT, "Tsummand": result, "out_type": result}


def fused_attrs(group: Group, attrs: Dict[str, Any]) -> Dict[str, Any]:
    """The attributes of the newer op from those of the older one; their inputs are the same.

    Args:
        group: a depthwise group.
        attrs: Tinput, Tfilter, Tbias, out_type, strides, padding, and perhaps dilations and padding_list.
    """
    result = dict(attrs)
    pads = result.pop("padding_list", None)
    if pads is not None:
        result.update(padding="EXPLICIT", explicit_paddings=pads)
    result.update(
        Tsummand=attrs["out_type"],
        Tdevice_inputs=_types(*(attrs[key].type for key in ("Tinput", "Tfilter", "Tbias"))),
        Thost_inputs=_types(*[DT_FLOAT] * 6),  # the ranges of source, weights and result
        Tdevice_outputs=_types(attrs["out_type"].type),
        Thost_outputs=_types(DT_FLOAT, DT_FLOAT),
        fused_ops=["BiasAdd", "Relu", "Requantize"] if group.gives_unsigned else ["BiasAdd", "Requantize"],
    )
    return result


def _types(*numbers: int) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(type=numbers))
