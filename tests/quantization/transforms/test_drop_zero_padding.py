"""Pads with zeros are plain Pads, and those that pad nothing go."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.drop_zero_padding import drop_zero_padding
from tests.quantization.builders import build, check_rewrite, conv, image, ops, refusal

pytestmark = pytest.mark.tensorflow

SPATIAL = [[0, 0], [1, 2], [0, 3], [0, 0]]


def padded(value, paddings=None):
    def net():
        x = tf.raw_ops.PadV2(input=image(), paddings=SPATIAL if paddings is None else paddings, constant_values=value)
        tf.identity(conv(x, padding="VALID", name="conv"), name="out")

    return net


def test_zeros():
    graph = check_rewrite(drop_zero_padding, padded(0.0), 1)
    assert (ops(graph)["Pad"], ops(graph)["PadV2"]) == (1, 0)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_nothing_is_padded(value):
    assert not {"Pad", "PadV2"} & set(ops(check_rewrite(drop_zero_padding, padded(value, [[0, 0]] * 4), 1)))


def test_others_stay():
    assert ops(check_rewrite(drop_zero_padding, padded(1.0), 0))["PadV2"] == 1
    check_rewrite(drop_zero_padding, lambda: tf.pad(image(), SPATIAL, name="out"), 0)
    check_rewrite(drop_zero_padding, lambda: tf.pad(image(), [[0, 0]] * 4, name="out"), 0)


def test_reasons():
    def net(value):
        return lambda: tf.raw_ops.PadV2(
            input=image(), paddings=[[0, 0], [1, 1], [0, 0], [0, 0]], constant_values=value(), name="out"
        )

    ones = Graph(build(net(lambda: 1.0)), ["out"])
    assert refusal(drop_zero_padding, ones, "out") == "'out' pads with other numbers than zero"
    computed = Graph(build(net(lambda: image((), "value"))), ["out"])
    assert refusal(drop_zero_padding, computed, "out") == "'value' is not a constant"
    nothing = Graph(build(lambda: tf.pad(image(), [[0, 0]] * 4, name="out")), ["out"])
    assert refusal(drop_zero_padding, nothing, "out") == "'out' is an output"
    plain = Graph(build(lambda: tf.pad(image(), [[1, 1]] * 4, name="out")), ["out"])
    assert refusal(drop_zero_padding, plain, "out") == ""
