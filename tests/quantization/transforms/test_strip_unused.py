"""What the outputs do not need goes, and nothing else."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.transforms.strip_unused import strip_unused
from tests.quantization.builders import check_rewrite, conv_block, image, ops

pytestmark = pytest.mark.tensorflow


def test_leftovers_go():
    def net():
        x = image()
        tf.nn.softmax(conv_block(x, "training_head"))
        tf.nn.relu(x, name="out")

    graph = check_rewrite(strip_unused, net, 6)
    assert ops(graph) == {"Placeholder": 1, "Relu": 1}


def test_what_an_output_waits_for_stays():
    def net():
        x = image()
        with tf.control_dependencies([tf.debugging.assert_all_finite(x, "broken")]):
            tf.nn.relu(x, name="out")

    assert "CheckNumerics" in ops(check_rewrite(strip_unused, net, 0))


def test_several_outputs():
    def net():
        x = image()
        tf.nn.relu(x, name="first")
        tf.nn.relu6(x, name="second")

    assert len(check_rewrite(strip_unused, net, 0, ("first", "second"))) == 3
    assert len(check_rewrite(strip_unused, net, 1, ("second",))) == 2
