"""Ranges without data: of activations that bound, of batch norms that remember, and widened where nothing tells."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.made_up_ranges import DEVIATIONS, ROOM, made_up_ranges
from intel_quantization.calibration.statistics import Statistics, TensorStatistics
from tests.quantization.builders import bias, build, conv, image

pytestmark = pytest.mark.tensorflow


def net():
    x = image()
    a = tf.nn.relu6(bias(conv(x, name="c1"), "six"), name="bounded")
    pooled = tf.nn.max_pool2d(a, 2, 2, "VALID", name="pooled")
    tf.concat([pooled, tf.sigmoid(pooled, name="sigmoid")], -1, name="both")
    b = bias(conv(a, name="c2"), "norm")
    tf.add(tf.nn.relu(b, name="behind_norm"), a, name="sum")


def seen(low, high):
    channels = np.linspace(low, high, 8)
    return TensorStatistics(10, low, high, channel_minimum=channels - 1, channel_maximum=channels)


@pytest.fixture(name="changed")
def _changed():
    names = ("input", "bounded", "pooled", "both", "norm", "behind_norm", "sum")
    statistics = Statistics(tensors={name: seen(-1.0, 2.0) for name in names})
    statistics.tensors["never"] = TensorStatistics()
    beta, gamma = np.arange(8.0) - 4, np.full(8, -0.5)
    counts = made_up_ranges(statistics, build(net), {"norm": (beta, gamma)})
    return statistics.tensors, counts


def ends(found):
    return found.minimum, found.maximum


def test_what_an_activation_bounds(changed):
    tensors, counts = changed
    assert ends(tensors["bounded"]) == ends(tensors["pooled"]) == ends(tensors["both"]) == (0, 6)
    assert counts == {"activation": 3, "norm": 2, "room": 1}


def test_what_a_batch_norm_remembers(changed):
    tensors, _counts = changed
    spread = DEVIATIONS * 0.5
    assert ends(tensors["norm"]) == (-4 - spread, 3 + spread)
    np.testing.assert_array_equal(tensors["norm"].channel_maximum, np.arange(8.0) - 4 + spread)
    assert ends(tensors["behind_norm"]) == (0, 3 + spread)
    assert tensors["behind_norm"].channel_maximum[0] == 0


def test_the_rest_gets_room_and_the_input_stays(changed):
    tensors, _counts = changed
    assert ends(tensors["sum"]) == (-ROOM, 2 * ROOM)
    assert tensors["sum"].channel_maximum[-1] == 2 * ROOM
    assert ends(tensors["input"]) == (-1, 2)
    assert tensors["never"].count == 0
