"""Collecting statistics in process."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.instrument import calibrate
from intel_quantization.calibration.statistics import histogram_of
from intel_quantization.calibration.summary import summary
from intel_quantization.errors import BadInputError, OutOfMemoryError, QuantizationError
from tests.quantization.builders import build, conv, image, random, run, v1

pytestmark = pytest.mark.tensorflow


def net():
    x = image()
    tf.nn.relu(conv(x, name="conv"), name="out")
    tf.split(x, 2, axis=3, name="halves")


FEED = [{"input:0": random("a", (2, 8, 8, 4))}, {"input:0": random("b", (3, 8, 8, 4))}]


def test_what_was_seen_is_what_was_there():
    graph_def = build(net)
    before = graph_def.SerializeToString(deterministic=True)
    names = ["input", "conv", "halves:1"]
    statistics = calibrate(graph_def, names, FEED, channel_means=["conv"], histograms=True)
    assert graph_def.SerializeToString(deterministic=True) == before
    assert statistics.samples == 5
    assert len(statistics.graph) == 64
    for name in names:
        values = np.concatenate([run(graph_def, feed, name)[0] for feed in FEED])
        found = statistics.tensors[name]
        assert (found.count, found.shape) == (values.size, (None,) + values.shape[1:])
        assert (found.minimum, found.maximum) == pytest.approx((values.min(), values.max()), rel=1e-6)
        assert found.histogram.sum() == values.size
        np.testing.assert_array_equal(found.histogram.nonzero()[0][[0, -1]], histogram_of(values).nonzero()[0][[0, -1]])
        if name == "conv":
            np.testing.assert_allclose(found.channel_mean, values.mean(axis=(0, 1, 2), dtype=np.float64), atol=1e-6)
        else:
            assert found.channel_sum is None


def test_progress_and_threads():
    seen = []
    calibrate(build(net), ["conv"], FEED, seen.append, threads=1)
    assert seen == [1, 2]


def test_shards_merge():
    graph_def = build(net)
    whole = calibrate(graph_def, ["conv"], FEED)
    parts = calibrate(graph_def, ["conv"], FEED[:1])
    parts.merge(calibrate(graph_def, ["conv"], FEED[1:]))
    assert parts == whole


def test_a_scalar_and_a_fixed_batch():
    graph_def = build(lambda: tf.reduce_sum(image((1, 2)), name="out"))
    statistics = calibrate(graph_def, ["out", "input"], [{"input:0": np.ones((1, 2), np.float32)}])
    assert statistics.tensors["out"].shape == ()
    assert statistics.tensors["out"].maximum == 2
    assert statistics.tensors["input"].shape == (None, 2)


def test_an_empty_tensor():
    graph_def = build(lambda: tf.boolean_mask(image((None, 2)), image((None,), "keep", tf.bool)))
    name = next(node.name for node in graph_def.node if node.op == "GatherV2")
    feed = {"input:0": np.ones((3, 2), np.float32)}
    nothing, all_of_it = dict(feed, **{"keep:0": np.zeros(3, bool)}), dict(feed, **{"keep:0": np.ones(3, bool)})
    statistics = calibrate(graph_def, [name], [nothing, all_of_it, nothing], channel_means=[name])
    assert (statistics.tensors[name].count, statistics.tensors[name].shape) == (6, (None, 2))
    assert statistics.tensors[name].empties == 2
    assert statistics.tensors[name].channel_mean.tolist() == [1, 1]


def test_large_tensors_are_sampled_for_the_histogram():
    graph_def = build(lambda: tf.nn.relu(image((None, 1000)), name="out"))
    statistics = calibrate(graph_def, ["out"], [{"input:0": random("x", (200, 1000))}], histograms=True)
    assert 1 << 16 <= statistics.tensors["out"].histogram.sum() <= 200000


@pytest.mark.parametrize("channels", [2, 3, 6, 7, 16, 96])
def test_the_sample_has_every_channel(channels):
    values = np.tile(np.exp2(np.arange(channels, dtype=np.float32)), (900000 // channels, 1))
    histogram = summary(values, histogram=True).histogram
    counts = histogram[histogram > 0]
    assert len(counts) == channels
    assert counts.max() <= 1.1 * counts.min() + 1
    assert 1 << 16 <= counts.sum() <= 3 << 16


def test_the_sample_of_one_image_is_smaller():
    values = random("x", (1, 100, 100, 30))
    assert 1 << 13 <= summary(values, histogram=True).histogram.sum() <= 3 << 13
    assert summary(values[:, :10, :10], histogram=True).histogram.sum() == 3000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    feed = random("a", (2, 8, 8, 4))
    feed[1, 3, 3, 2] = value
    with pytest.raises(BadInputError, match="'input' has infinite or undefined values"):
        calibrate(build(net), ["input"], [{"input:0": feed}])


@pytest.mark.parametrize(
    "feed",
    [
        {"input:0": np.zeros((2, 8, 8, 3), np.float32)},
        {"input:0": np.zeros((2, 8), np.float32)},
        {"other:0": np.zeros((2, 8, 8, 4), np.float32)},
        {"input:0": np.array([["a"]])},
        {},
    ],
)
def test_a_feed_that_does_not_fit(feed):
    with pytest.raises(BadInputError, match="does not accept the calibration data") as caught:
        calibrate(build(net), ["conv"], [feed])
    assert "\n" not in caught.value.message
    if "other:0" in feed:
        assert caught.value.message.endswith("it has no other:0")
        assert caught.value.remedy == "its inputs are input:0"


def test_an_empty_feed():
    with pytest.raises(BadInputError, match="no calibration data"):
        calibrate(build(net), ["conv"], [])


def test_an_uninitialised_table():
    def lookup():
        table = tf.lookup.KeyValueTensorInitializer(tf.constant(["a"]), tf.constant([1.0]))
        keys = v1.placeholder(tf.string, (None,), "input")
        tf.identity(tf.lookup.StaticHashTable(table, 0.0).lookup(keys), name="out")

    with pytest.raises(QuantizationError, match=r"does not run: .*[Tt]able not initialized"):
        calibrate(build(lookup), ["out"], [{"input:0": np.array(["a"])}])


def test_out_of_memory(monkeypatch):
    def run_out(*_args, **_kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nand more")

    monkeypatch.setattr(v1.Session, "run", run_out)
    with pytest.raises(OutOfMemoryError, match=r"OOM when allocating tensor$"):
        calibrate(build(net), ["conv"], FEED)
