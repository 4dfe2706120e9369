"""The unit of quantization: a linear op with its Pad, bias, residual addition and activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

Pads = Tuple[int, int, int, int]
"""top, bottom, left, right."""
RELU = "Relu"
NO_PADS: Pads = (0, 0, 0, 0)


def clipped(end: float) -> str:
    """The name of a ReLU that ends somewhere: "Relu6" is TensorFlow's own, others are a Relu and a Minimum."""
    return RELU + ("6" if end == 6.0 else repr(end))


def end_of(activation: str) -> Optional[float]:
    """The largest value that an activation gives; None where there is none."""
    return None if activation in ("", RELU) else float(activation[len(RELU) :])


@dataclass(frozen=True)
class Group:
    """A linear op and what is fused into it.

    Attributes:
        linear: name of the linear op.
        op: its op.
        source: the tensor that the group reads (ahead of a fused Pad).
        pads: (top, bottom, left, right) of a fused Pad, None without one.
        bias: the bias tensor, None without one.
        summand: the other tensor of a fused residual addition, None without one.
        activation: "Relu", "Relu6" or another that :func:`clipped` names, or "".
        root: name of the last node; its output 0 is the group's result.
        members: names of the nodes that the group replaces, in the order of the data.
        shifted: the group has no activation, and gives its result lifted: see
            :mod:`intel_quantization.quantize.lifting`.
        lifted: it reads its signed source lifted.
        summand_lifted: it reads its signed summand lifted.
        lift_pads: (top, bottom, left, right) of the padding that FP32 does ahead of lifting; None without one.
    """

    linear: str
    op: str
    source: str
    pads: Optional[Pads]
    bias: Optional[str]
    summand: Optional[str]
    activation: str
    root: str
    members: Tuple[str, ...]
    shifted: bool = False
    lifted: bool = False
    summand_lifted: bool = False
    lift_pads: Optional[Pads] = None

    @property
    def gives_unsigned(self) -> bool:
        """Whether the group's INT8 result is quint8."""
        return bool(self.activation) or self.shifted

    def observed(self) -> Tuple[str, ...]:
        """The tensors whose statistics decide about the group and its ranges.

        With a residual addition that is also the biased convolution, at which the group ends when
        the addition turns out not to be fusable.
        """
        return (self.source, self.root) + ((self.summand, self.members[1]) if self.summand else ())
