"""Whole networks, quantized: a good one raises nothing, a broken range and a wrong preprocessing raise the alarm."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.comparison.other_modes import judge_mode
from intel_quantization.data import preprocess
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.feeds import Batch
from intel_quantization.data.images import Image
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.measure import evaluate
from intel_quantization.measure.runner import Runner
from tests.quantization.comparison.band_nets import BANDS, KINDS, net, pictures


class Feed:
    """Pictures in batches, preprocessed."""

    def __init__(self, mode, count=48, seed=1, size=6):
        self._pixels, self._labels = pictures(count, seed)
        self._mode, self._size = mode, size

    def batches(self):
        for start in range(0, len(self._labels), self._size):
            pixels = self._pixels[start : start + self._size].astype(np.float32)
            images = tuple(Image("", int(label)) for label in self._labels[start : start + self._size])
            yield Batch({"images:0": preprocess.apply(self._mode, pixels)}, images)

    def __iter__(self):
        return (batch.feed for batch in self.batches())


def converted(kind, mode):
    graph, outputs = net(kind)
    feed = Feed(mode, seed=2)
    conversion = GraphConverter(
        graph, outputs=[name[:-2] for name in outputs], per_channel=True, algo="MSE", calibration_data=feed
    ).convert()
    assert {row.op: row.int8 for row in conversion.op_table}["Conv2D"] == 2
    return conversion, outputs


def accuracy(conversion, outputs, mode, int8=None, labelling=evaluate.UNLABELLED):
    with Runner(conversion.input_graph, outputs) as before, Runner(int8 or conversion.graph, outputs) as after:
        return evaluate.compare(before, after, Feed(mode), labelling, names=outputs)


def broken(graph, tensor, factor):
    """The INT8 graph with one range wrong, as an outlier among the calibration data makes it."""
    changed = tf.compat.v1.GraphDef()
    changed.CopyFrom(graph)
    hits = [node for node in changed.node if node.name in (f"{tensor}/min", f"{tensor}/max")]
    assert len(hits) == 2
    for node in hits:
        value = tf.make_ndarray(node.attr["value"].tensor) * np.float32(factor)
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return changed


@pytest.fixture(scope="module", params=KINDS)
def good(request):
    """(kind, Conversion, outputs)"""
    return (request.param, *converted(request.param, "tf"))


def test_a_good_graph_raises_nothing(good):
    kind, conversion, outputs = good
    result = accuracy(conversion, outputs, "tf")
    assert [each.kind for each in result.findings] == [kind]
    assert [each.concerns for each in result.findings] == [()], result.findings
    assert result.concerns == ()


@pytest.mark.parametrize("layer", ["first/out", "second/out"])
def test_a_range_that_is_far_too_wide_raises_the_alarm(good, layer):
    kind, conversion, outputs = good
    result = accuracy(conversion, outputs, "tf", broken(conversion.graph, layer, 1000.0))
    (found,) = result.findings
    assert (found.kind, found.verdict) == (kind, "collapsed"), found


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_preprocessing_raises_the_alarm(kind):
    conversion, outputs = converted(kind, "none")
    (found,) = accuracy(conversion, outputs, "none").findings
    severities = {(concern.severity, concern.cause) for concern in found.concerns}
    assert ("alarm", "fp32") in severities, found


def test_labels_that_do_not_fit():
    conversion, outputs = converted("scores", "tf")
    result = accuracy(conversion, outputs, "tf", labelling=Labelling(BANDS))
    assert (result.top1_fp32, result.top1_int8, result.concerns) == (100, 100, ())
    assert result.drop is not None
    assert result.drop.points == 0
    conversion, outputs = converted("scores", "none")
    result = accuracy(conversion, outputs, "none", labelling=Labelling(BANDS))
    assert ("alarm", "labels") in {(concern.severity, concern.cause) for concern in result.concerns}


def test_another_mode_that_fits_far_better():
    graph, outputs = net("scores")
    with Runner(graph, outputs) as runner:

        def run(mode):
            return [runner.run(feed) for feed in Feed(mode, 16)]

        modes = preprocess.modes_for("float32", 1)
        assert judge_mode("tf", modes, run, outputs) == ()
        (concern,) = judge_mode("none", modes, run, outputs)
    assert (concern.severity, concern.cause) == ("alarm", "fp32")
    # unit and tf are both far nearer to what this net was made for than raw pixels are
    assert re.search("--preprocess (tf|unit) than with none", concern.what)
