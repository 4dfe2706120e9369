"""Tests of matrix products on signed input, which kernels take as unsigned only."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph_converter import GraphConverter
from intel_quantization.kinds import matmul
from tests.quantization import builders as b

FEED = {"input:0": b.random("values", (16, 24)) * np.linspace(0.5, 1.5, 24, dtype=np.float32) - 0.3}


@pytest.fixture(autouse=True)
def little_work_will_do(monkeypatch):
    monkeypatch.setattr(matmul, "pays_lifted", lambda case: True)


def convert(function, **options):
    graph_def = b.build(function)
    conversion = GraphConverter(graph_def, outputs=["out"], calibration_data=[FEED], **options).convert()
    assert [item.reason for item in conversion.decisions if item.op == "MatMul"] != []
    assert all(item.int8 for item in conversion.decisions if item.op == "MatMul")
    want, got = (b.run(graph, FEED, "out")[0] for graph in (graph_def, conversion.graph))
    return conversion, 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum())


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_the_bias_takes_back_what_lifted_the_input(transpose, relu, biased):
    def net():
        x = b.dense(b.image((None, 24)), 7, transpose, name="product")
        x = b.bias(x, "product/bias") if biased else x
        tf.identity(tf.nn.relu(x) if relu else x, "out")

    conversion, sqnr = convert(net)
    assert sqnr > 32
    assert {node.op for node in conversion.graph.node if "MatMul" in node.op} == {
        "QuantizedMatMulWithBiasAnd" + ("ReluAndRequantize" if relu else "Dequantize")
    }


def test_two_products_share_the_lifted_input():
    def net():
        x = b.image((None, 24))
        tf.add(b.dense(x, 7, name="one"), b.dense(x, 7, name="two"), name="out")

    conversion, sqnr = convert(net)
    assert sqnr > 32
    assert sum(node.op == "QuantizeV2" for node in conversion.graph.node) == 1


def test_a_clipped_range_is_lifted_by_its_own_end():
    _, sqnr = convert(lambda: b.dense(b.image((None, 24)), 7, name="out"), algo="MSE")
    assert sqnr > 30
