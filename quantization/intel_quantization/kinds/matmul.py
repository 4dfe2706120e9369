"""MatMul; without an activation it gives float32, usually the logits."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import numpy as np

from intel_quantization.graph.attributes import DT_FLOAT, DT_QINT8, DT_QUINT8, attribute
from intel_quantization.graph.graph import NodeDef
from intel_quantization.kinds.group import Group
from intel_quantization.kinds.layout import KN, NK, Layout
from intel_quantization.kinds.linear_kind import Form, GroupCase, Kernel, LinearKind, example, int8_type
from intel_quantization.kinds.range_flow import GIVEN
from intel_quantization.kinds.rules import RefusalRule

_FLOAT = "QuantizedMatMulWithBiasAndDequantize"
_RELU = "QuantizedMatMulWithBiasAndReluAndRequantize"
# Multiply-accumulates from which on INT8 was faster although its input is lifted (an Add and a QuantizeV2, some 40
# microseconds without VNNI), and how many of them lifting a value takes. Measured on AVX2, rows x inputs x outputs:
# 16x384x384 0.99x, 64x256x256 0.96x, 128x128x128 0.98x, 512x512x16 0.67x; 1x1024x1000 1.08x, 16x384x1536 1.14x,
# 128x128x512 1.17x, 128x384x384 1.21x, 64x384x384 1.8x, 512x64x256 1.07x, 512x768x768 1.8x.
_LEAST_LIFTED = 3_500_000
_WORK_OF_A_VALUE = 50
# Fewer rows take as long as these: the weights have to be read, which INT8 makes a quarter of.
_FEWEST_ROWS = 4


def _sizes(case: GroupCase) -> Tuple[float, int, int]:
    """Rows for each sample, inputs and outputs of a product."""
    inputs = int(case.shape[-1] or 1)
    return case.rows, inputs, int(case.weights.size // inputs)


def pays_lifted(case: GroupCase) -> bool:
    """Whether a product is faster in INT8 although its input has to be lifted first."""
    rows, inputs, outputs = _sizes(case)
    return max(rows, _FEWEST_ROWS) * inputs * (outputs - _WORK_OF_A_VALUE) >= _LEAST_LIFTED


def _tell_little_work(case: GroupCase) -> str:
    rows, inputs, outputs = _sizes(case)
    return (
        "its input goes below zero and has to be lifted for INT8, which takes longer than INT8 saves: %d row%s of %d "
        "values, %d results; longer sequences pay, or a ReLU in front of it"
        % (round(rows), "" if round(rows) == 1 else "s", inputs, outputs)
    )


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
            lambda case: case.group.lifted and case.from_float and not pays_lifted(case),
            _tell_little_work,
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
