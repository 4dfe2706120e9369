"""Only the last of several ops that change a shape stays."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.transforms.merge_reshapes import merge_reshapes
from tests.quantization.builders import check_rewrite, image, ops

pytestmark = pytest.mark.tensorflow

STEPS = {
    "reshape": lambda x: tf.reshape(x, [-1, 2, 6]),
    "squeeze": lambda x: tf.squeeze(x, [1]),
    "expand": lambda x: tf.expand_dims(x, 2),
}


@pytest.mark.parametrize("names", [("reshape",), ("squeeze",), ("expand",), ("squeeze", "expand", "reshape")])
def test_merged(names):
    def net():
        x = tf.nn.relu(image((None, 1, 12)))
        for name in names:
            x = STEPS[name](x)
        tf.reshape(x, [-1, 3, 4], name="out")

    graph = check_rewrite(merge_reshapes, net, len(names))
    assert graph.nodes["out"].input[0] == "Relu"
    assert not {"Squeeze", "ExpandDims"} & set(ops(graph))


def test_what_else_reads_it_goes_on_reading():
    def net():
        x = tf.reshape(tf.nn.relu(image((None, 12))), [-1, 2, 6], name="inner")
        tf.nn.relu(x, name="reader")
        tf.reshape(x, [-1, 3, 4], name="out")

    graph = check_rewrite(merge_reshapes, net, 1, ("out", "reader"))
    assert "inner" in graph


@pytest.mark.parametrize("last", [lambda x: tf.squeeze(x, [1], name="out"), lambda x: tf.nn.relu(x, name="out")])
def test_others_stay(last):
    check_rewrite(merge_reshapes, lambda: last(tf.reshape(image((None, 12)), [-1, 1, 12])), 0)
