"""Time by type of op, and what FP32 leaves as the limit."""

from __future__ import annotations

import pytest

from intel_quantization.measure.op_times import CONVERSION, NodeTime, family, is_int8, time_by_op


@pytest.mark.parametrize(
    ("kernel", "op", "int8"),
    [
        ("_MklNativeFusedConv2D", "Conv2D", False),
        ("_FusedDepthwiseConv2dNative", "DepthwiseConv2dNative", False),
        ("_MklQuantizedConv2DWithBiasAndReluAndRequantize", "Conv2D", True),
        ("QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize", "DepthwiseConv2dNative", True),
        ("_QuantizedMatMul", "MatMul", True),
        ("QuantizedMaxPool", "MaxPool", True),
        ("QuantizedConcatV2", "ConcatV2", True),
        ("_MklQuantizeV2", CONVERSION, True),
        ("Dequantize", CONVERSION, True),
        ("_MklNativeSoftmax", "Softmax", False),
        ("AddV2", "AddV2", False),
    ],
)
def test_kernels_do_the_work_of_ops(kernel, op, int8):
    assert family(kernel) == op
    assert is_int8(kernel) == int8


def test_the_sums_and_the_limit():
    fp32 = {
        "a": NodeTime(8.0, "_FusedConv2D"),
        "b": NodeTime(1.0, "Conv2D"),
        "s": NodeTime(1.0, "Softmax"),
        "_SOURCE": NodeTime(5.0, "NoOp"),
    }
    int8 = {
        "a/int8": NodeTime(2.0, "QuantizedConv2D"),
        "b": NodeTime(1.0, "Conv2D"),
        "q": NodeTime(0.5, "QuantizeV2"),
        "s": NodeTime(1.0, "Softmax"),
    }
    found = time_by_op(fp32, int8)
    assert found["ops"][0] == {"op": "Conv2D", "fp32_ms": 9.0, "int8_ms": 2.0, "left_ms": 1.0}
    assert {row["op"] for row in found["ops"]} == {"Conv2D", "Softmax", CONVERSION}
    assert (found["fp32_ms"], found["int8_ms"], found["left_ms"]) == (10.0, 4.5, 2.0)
    assert found["limit"] == 5.0
    assert time_by_op({}, {"q": NodeTime(1.0, "QuantizeV2")})["limit"] is None
