"""What TensorFlow raises when a graph is run, told as what it is."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError, OutOfMemoryError
from intel_quantization.measure.runner import Runner
from tests.quantization.builders import build, image

pytestmark = pytest.mark.tensorflow


def huge():
    x = image((2,))
    tf.add(x, tf.reduce_sum(tf.fill([1 << 20, 1 << 20], 1.0, name="huge")), name="out")


def test_a_constant_that_does_not_fit_into_memory():
    """TensorFlow folds it while it starts, and then says that it cannot parse a tensor."""
    runner = Runner(build(huge), ["out:0"], label="the FP32 graph")
    with runner, pytest.raises(OutOfMemoryError, match="the FP32 graph ran out of memory") as caught:
        runner.run({"input:0": np.zeros(2, np.float32)})
    assert caught.value.remedy


def test_a_feed_that_does_not_fit():
    runner = Runner(build(lambda: tf.identity(image((2,)), name="out")), ["out:0"])
    with runner, pytest.raises(BadInputError, match="does not take the images"):
        runner.run({"input:0": np.zeros(3, np.float32)})
