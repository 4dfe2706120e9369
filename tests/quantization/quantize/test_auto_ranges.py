"""AUTO chooses by what the layers that read a tensor lose: the values alone do not tell which of them matter."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.ranges.collectors import min_max
from intel_quantization.calibration.ranges.squared_error import mean_squared_error
from intel_quantization.quantize.auto_ranges import ESTIMATORS, auto_ranges, choose_ranges
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

pytestmark = pytest.mark.tensorflow

OUTLIER = 50.0


def values(channels=(3,)):
    """Positive values, with 16 outliers in each of some channels: one in a thousand."""
    result = np.abs(b.random("values", (64, 8, 8, 4)))
    place = np.random.RandomState(1)
    for channel in channels:
        image, row, column = place.randint(0, 64, 16), place.randint(0, 8, 16), place.randint(0, 8, 16)
        result[image, row, column, channel] = OUTLIER
    return {"input:0": result}


def reader(x, name, ignored=(), size=4):
    """A convolution with weights of zero for some channels of what it reads."""
    weights = b.weights_for(name, (3, 3, size, 8))
    weights[:, :, list(ignored)] = 0
    return b.activate(b.bias(b.conv(x, weights=weights, name=name), name + "/bias"), "relu", name + "/out")


def chosen(function, feed, outputs=("out",)):
    prepared = prepare(b.build(function), [feed], outputs)
    return choose_ranges(prepared.items, prepared.statistics, prepared.trials), prepared


@pytest.mark.parametrize("ignored", [True, False])
def test_only_outliers_that_do_not_matter_are_cut_off(ignored):
    def net():
        tf.identity(reader(b.image(), "c", [3] if ignored else []), "out")

    ranges, prepared = chosen(net, values())
    if ignored:
        assert ranges["input"][1] < 10
        assert mean_squared_error("input", prepared.statistics.tensors["input"])[1] > 20, "the values do not tell"
    else:
        assert ranges["input"][1] == OUTLIER


def test_all_that_read_a_tensor_count():
    """One reader ignores the outliers, the other does not."""

    def net():
        x = b.image()
        tf.concat([reader(x, "one", [3]), reader(x, "two")], 3, name="out")

    assert chosen(net, values())[0]["input"][1] == OUTLIER


def test_the_chosen_range_is_the_one_of_least_error():
    def net():
        tf.identity(reader(reader(b.image(), "a", [3]), "b", size=8), "out")

    ranges, prepared = chosen(net, values())
    for name, root in (("input", "a/out"), ("a/out", "b/out")):
        trial = prepared.trials[root]
        errors = {}
        for _, estimate in ESTIMATORS:
            high = estimate(name, prepared.statistics.tensors[name])[1]
            steps = np.rint(np.clip(trial.patches, 0, high) * (255 / high))
            errors[high] = trial.error((steps * (high / 255)).astype(np.float32))
        assert ranges[name][1] in errors
        assert errors[ranges[name][1]] * 0.97 <= min(errors.values()) * 1.001


def shared(ignored):
    """Both inputs of a concatenation have outliers; the reader ignores those of some channels."""

    def net():
        x = tf.nn.relu(b.image())
        weights = np.eye(4, dtype=np.float32)[None, None]
        parts = []
        for name in ("left", "right"):
            y = b.bias(b.conv(x, weights=weights, name=name), name + "/bias", np.zeros(4, np.float32))
            parts.append(tf.nn.relu(y, name=name + "/out"))
        tf.identity(reader(tf.concat(parts, 3), "last", ignored, 8), "out")

    return net


@pytest.mark.parametrize(("ignored", "cut"), [((3, 7), True), ((3,), False), ((7,), False), ((), False)])
def test_tensors_that_share_a_range_are_decided_together(ignored, cut):
    ranges, prepared = chosen(shared(ignored), values())
    assert "QuantizedConcatV2" not in {node.op for node in prepared.graph.nodes.values()}
    assert ranges["left/out"] == ranges["right/out"]
    assert (ranges["left/out"][1] < 10) == cut


def test_one_of_them_with_outliers_that_do_not_matter():
    def net():
        x = tf.nn.relu(b.image())
        small = reader(x, "small", [3])
        weights = np.eye(4, dtype=np.float32)[None, None]
        y = b.bias(b.conv(x, weights=weights, name="large"), "large/bias", np.zeros(4, np.float32))
        y = tf.nn.relu(y, name="large/out")
        tf.identity(reader(tf.concat([small, y], 3), "last", [11], 12), "out")

    ranges, prepared = chosen(net, values())
    assert prepared.statistics.tensors["large/out"].maximum == OUTLIER
    assert ranges["large/out"][1] < 10
    assert ranges["small/out"][1] <= prepared.statistics.tensors["small/out"].maximum


def test_a_signed_tensor_is_tried_as_it_will_be_read():
    """Lifted: a range from -1 to 9 has ten times the step of one from -0.1 to 0.9, whatever its sign."""

    def net():
        tf.identity(reader(b.image(), "c", [3]), "out")

    feed = values()
    feed["input:0"] = feed["input:0"] - 1
    ranges, prepared = chosen(net, feed)
    assert prepared.groups["c"].lifted
    assert ranges["input"][0] < 0
    assert ranges["input"][1] < 10


def test_where_there_are_no_patches_the_squared_error_decides():
    prepared = prepare(b.build(shared(())), [values()], patches=False)
    assert prepared.trials == {}
    ranges = choose_ranges(prepared.items, prepared.statistics, {})
    assert set(ranges) == {"Relu", "left/out", "right/out", "last/out"}
    for name, found in ranges.items():
        assert found == mean_squared_error(name, prepared.statistics.tensors[name])


def test_a_tensor_that_nothing_was_chosen_for_gets_the_same():
    prepared = prepare(b.build(lambda: tf.identity(reader(b.image(), "c"), "out")), [values()])
    estimate = auto_ranges(prepared.items, prepared.statistics, prepared.trials)
    seen = prepared.statistics.tensors["input"]
    assert estimate("input", seen) == min_max("input", seen)
    assert estimate("other", seen) == mean_squared_error("other", seen)


@pytest.mark.parametrize("ignored", [(), (3,)])
def test_a_whole_conversion(ignored):
    """AUTO is at least about as near to FP32 as the best of the others."""
    graph_def = b.build(lambda: tf.identity(reader(reader(b.image(), "a", ignored), "b", size=8), "out"))
    feed = values()
    wanted = b.run(graph_def, feed, "out")[0]

    def noise(algo):
        conversion = b.convert(graph_def, [feed], algo=algo, per_channel=True)
        return np.square(b.run(conversion.graph, feed, "out")[0] - wanted).mean()

    others = {algo: noise(algo) for algo in ("DIRECT", "KL", "MSE", "PERCENTILE")}
    assert noise("AUTO") < 1.15 * min(others.values()), others
    assert noise("auto") == noise("AUTO")
