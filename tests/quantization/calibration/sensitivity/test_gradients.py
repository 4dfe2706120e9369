"""Sensitivities tell how much noise in a channel comes through to what the graph is for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.sensitivity.gradients import measure_sensitivities
from tests.quantization import builders as b

pytestmark = [pytest.mark.tensorflow, pytest.mark.skipif(tf.__version__ < "2", reason="TensorFlow 1 measures none")]
v1 = tf.compat.v1
RANDOM = np.random.RandomState(3)


def samples(graph_def, number=4):
    (name, value), *_ = b.batch(graph_def, number, seed=5).items()
    return [{name: value[row : row + 1]} for row in range(number)]


def measured(function, outputs=("out",), observed=("middle",)):
    graph_def = b.build(function)
    return graph_def, measure_sensitivities(graph_def, outputs, observed, samples(graph_def)).by_tensor


def noisy_share(graph_def, channel, power, end="out"):
    """The share of noise in the variance of an output when one channel of "middle" gets noise."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    clean, dirty = [], []
    with v1.Session(graph=graph) as session:
        for feed in samples(graph_def, 32):
            middle, wanted = session.run(["middle:0", end + ":0"], feed)
            noise = np.zeros_like(middle)
            noise[..., channel] = np.sqrt(power) * RANDOM.standard_normal(noise.shape[:-1])
            clean.append(wanted)
            dirty.append(session.run(end + ":0", {**feed, "middle:0": middle + noise}))
    clean, dirty = np.concatenate(clean), np.concatenate(dirty)
    axes = tuple(range(clean.ndim - 1))
    return np.square(dirty - clean).sum() / (clean.var(axis=axes) * clean[..., 0].size).sum()


def unlike():
    """Two channels of eight, of which what follows amplifies one and hardly reads the other."""
    x = tf.identity(b.conv_block(b.image((None, 16, 16, 3)), "first", filters=8), "middle")
    x = x * tf.constant([10.0, 0.01, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    x = b.conv(x, 6, 3, name="second")
    tf.identity(x, "out")


@pytest.mark.parametrize("channel", [0, 1, 4])
def test_what_is_predicted_is_what_noise_does(channel):
    graph_def, found = measured(unlike)
    predicted = found["middle"][channel] * 1e-6
    assert predicted == pytest.approx(noisy_share(graph_def, channel, 1e-6), rel=0.6)


def test_channels_differ_by_what_reads_them():
    found = measured(unlike)[1]["middle"]
    assert found.shape == (8,)
    assert found[0] > 1e5 * found[1] > 0.0


@pytest.mark.parametrize("scores", [tf.nn.softmax, tf.sigmoid, lambda x: tf.argmax(tf.identity(x), 1)])
def test_scores_are_judged_ahead_of_what_flattens_or_picks(scores):
    def net(last):
        x = tf.identity(b.conv_block(b.image((None, 8, 8, 3)), "first", filters=4), "middle")
        x = tf.reduce_mean(b.conv(x, 5, 3, name="second"), [1, 2])
        tf.identity(last(x), "out")

    plain = measured(lambda: net(tf.identity))[1]["middle"]
    np.testing.assert_allclose(measured(lambda: net(scores))[1]["middle"], plain, rtol=0.02)


def test_why_there_is_none_is_told():
    def net():
        x = tf.identity(b.conv_block(b.image((None, 8, 8, 3)), "first", filters=4), "middle")
        tf.identity(tf.cast(tf.shape(x), tf.float32), "out")

    graph_def = b.build(net)
    found = measure_sensitivities(graph_def, ["out"], ["middle"], samples(graph_def))
    assert found.by_tensor == {}
    assert found.missing == "nothing leads to the outputs by differentiable operations alone"


def through_an_array(x):
    """A TensorArray of TensorFlow 1, as its loops over images have it; its gradients do not exist in TensorFlow 2."""
    array = tf.raw_ops.TensorArrayV3(size=tf.shape(x)[0], dtype=tf.float32)
    indices = tf.range(tf.shape(x)[0])
    flow = tf.raw_ops.TensorArrayScatterV3(handle=array[0], indices=indices, value=x, flow_in=array[1])
    return tf.raw_ops.TensorArrayGatherV3(handle=array[0], indices=indices, flow_in=flow, dtype=tf.float32)


def test_arrays_of_loops_end_what_is_smooth():
    def net(last):
        x = tf.identity(b.conv_block(b.image((None, 8, 8, 3)), "first", filters=4), "middle")
        tf.identity(last(b.conv(x, 5, 3, name="second")), "out")

    plain = measured(lambda: net(tf.identity))[1]["middle"]
    np.testing.assert_allclose(measured(lambda: net(through_an_array))[1]["middle"], plain, rtol=0.02)


@pytest.mark.parametrize("error", [AssertionError("no handle"), AttributeError("'NoneType'"), KeyError("flow")])
def test_what_gradients_raise_is_told(monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(tf, "gradients", fail)
    graph_def = b.build(unlike)
    found = measure_sensitivities(graph_def, ("out",), ("middle",), samples(graph_def))
    assert found.by_tensor == {}
    assert found.missing.startswith("TensorFlow cannot differentiate the graph: ")


def test_a_gradient_that_cannot_be_built_is_told():
    """TensorFlow's gradient of a concatenation takes an axis of int32 alone."""

    def net():
        x = tf.identity(b.conv_block(b.image((None, 8, 8, 3)), "first", filters=4), "middle")
        tf.reduce_mean(tf.raw_ops.ConcatV2(values=[x, 2.0 * x], axis=tf.constant(3, tf.int64)), [1, 2], name="out")

    graph_def = b.build(net)
    found = measure_sensitivities(graph_def, ["out"], ["middle"], samples(graph_def))
    assert found.missing.startswith("TensorFlow cannot differentiate the graph: ") == (not found.by_tensor)


def test_the_same_twice_with_other_threads():
    graph_def, found = measured(unlike)
    again = measure_sensitivities(graph_def, ["out"], ["middle"], samples(graph_def), threads=1)
    np.testing.assert_array_equal(found["middle"], again.by_tensor["middle"])
