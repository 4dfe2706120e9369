"""Weights of the tests that a kernel with halved weights keeps, too."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.quantize.weights import quantize_weights
from tests.quantization.builders import build, conv, image, node
from tests.quantization.kept_weights import kept_weights


@pytest.mark.parametrize("factor", [1.0, np.float32([0.01, 3.0, 0.7, 1.3])], ids=["plain", "scaled"])
def test_only_the_largest_of_a_channel_are_odd(factor):
    weights = kept_weights("conv", (3, 3, 4, 4)) * factor
    graph_def = build(lambda: tf.identity(conv(image(), 4, weights=weights), "out"))
    steps, _ = quantize_weights(node(graph_def, "conv"), weights, per_channel=True, unsigned_input=False)
    assert (np.abs(steps).reshape(-1, 4).max(axis=0) == 127).all()
    assert (np.abs(steps[steps % 2 == 1]) == 127).all()
    assert len(np.unique(steps)) > 32
