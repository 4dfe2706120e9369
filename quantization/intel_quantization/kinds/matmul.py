"""MatMul; without an activation it gives float32, usually the logits."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8, attribute
from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.layout import KN, NK, Layout
from intel_quantization.kinds.linear_kind import Form, Kernel, LinearKind, example, int8_type
from intel_quantization.kinds.range_flow import GIVEN
from intel_quantization.kinds.rules import RefusalRule

_FLOAT = "QuantizedMatMulWithBiasAndDequantize"
_RELU = "QuantizedMatMulWithBiasAndReluAndRequantize"
# Weights from which on INT8 was faster although its input is lifted: 1x1024x1000 1.2x, 32x768x3072
# 2.2x (AVX-512 VNNI) to 3x (AMX); 8x512x512 0.9x.
_LEAST_LIFTED = 1 << 19


class MatMul(LinearKind):
    """A matrix product with constant weights."""

    op = "MatMul"
    flows = {_FLOAT: GIVEN, _RELU: GIVEN}  # given, although a float32 result does not use it (mkl_qmatmul_op.cc)
    per_channel = False
    takes_signed = False
    gives_lifted = False
    refusals = (
        RefusalRule(lambda case: attribute(case.node, "transpose_a").b, "a transposed input has no INT8 kernel"),
    )
    obstacles = (
        RefusalRule(
            lambda case: case.group.lifted and case.from_float and case.weights.size < _LEAST_LIFTED,
            "signed input has to be lifted for MatMul, which is not faster for so few weights",
        ),
        RefusalRule(
            lambda case: not case.unsigned, lambda case: case.without("signed input has no INT8 kernel for MatMul")
        ),
    )

    def layout(self, node: NodeDef) -> Layout:
        """Inputs, outputs, or the other way round."""
        return NK if attribute(node, "transpose_b").b else KN

    def emitted(self, node: NodeDef, values: np.ndarray) -> np.ndarray:
        """Never transposed: such weights have no kernel on AVX2."""
        return self.layout(node).orient(values)

    def kernel(self, group: Group, unsigned: bool, signed_summand: bool = False) -> Kernel:
        """By the activation."""
        types = {"T1": int8_type(unsigned), "T2": DT_QINT8, "Tbias": DT_FLOAT}
        if self.gives_float(group):
            return Kernel(_FLOAT, dict(types, Toutput=DT_FLOAT))
        return Kernel(_RELU, dict(types, Toutput=DT_QUINT8))

    def gives_float(self, group: Group) -> bool:
        """Without an activation."""
        return not group.activation

    def attributes(self, node: NodeDef, group: Group, kernel: Kernel) -> Dict[str, Any]:
        """Nothing is transposed."""
        return {"transpose_a": False, "transpose_b": False, "input_quant_mode": "SCALED"}

    def forms(self) -> Tuple[Form, ...]:
        """With and without an activation."""
        return (
            Form("MatMul and ReLU", self.kernel(example(self.op, "Relu"), True)),
            Form("MatMul with a float32 result", self.kernel(example(self.op), True)),
        )
