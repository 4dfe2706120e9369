"""A small network that is trained here to tell the classes of pixels, measured by a whole job.

Mean IoU by the labels, and a metric of the user's, are those that its own FP32 graph gives by hand.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from intel_quantization.measure.runner import Runner
from tests.quantization.test_main import by_name, run

SIZE, CLASSES, STEPS = 16, 3, 150
METRIC = """
def right(outputs, labels):
    (scores,) = outputs.values()
    return (scores.argmax(axis=3) == labels).mean(axis=(1, 2))
"""


def drawn(count, seed):
    """Noise with a bright and a dark rectangle: [count, 16, 16, 1], and the class of each pixel."""
    rng = np.random.RandomState(seed)
    values = rng.normal(0, 0.4, (count, SIZE, SIZE, 1)).astype(np.float32)
    labels = np.zeros((count, SIZE, SIZE), np.int64)
    for number in range(count):
        for which, level in ((1, 1.0), (2, -1.0)):
            top, left = rng.randint(0, SIZE - 6, 2)
            place = (number, slice(top, top + rng.randint(4, 7)), slice(left, left + rng.randint(4, 7)))
            labels[place] = which
            values[place] = level + rng.normal(0, 0.2, values[place].shape)
    return values, labels


@tf.function
def answers(x, weights):
    """Scores of each pixel."""
    for kernel, bias in weights[:-1]:
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
    kernel, bias = weights[-1]
    return tf.nn.softmax(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)


@tf.function
def gradients(x, labels, weights):
    """Of the cross entropy, by each of the weights."""
    flat = [variable for pair in weights for variable in pair]
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(tf.math.log(tf.gather(answers(x, weights), labels, batch_dims=3) + 1e-6))
    return tape.gradient(loss, flat)


def train():
    """The frozen graph of a network of three convolutions, its input and its output."""
    rng = np.random.RandomState(1)
    weights = [
        (
            tf.Variable(rng.normal(0, np.prod(shape[:3]) ** -0.5, shape).astype(np.float32)),
            tf.Variable(np.zeros(shape[3], np.float32)),
        )
        for shape in ((3, 3, 1, 8), (3, 3, 8, 8), (1, 1, 8, CLASSES))
    ]
    for step in range(STEPS):
        values, labels = drawn(16, 100 + step)
        found = gradients(tf.constant(values), tf.constant(labels), weights)
        for variable, gradient in zip([variable for pair in weights for variable in pair], found):
            variable.assign_sub(0.3 * gradient)
    spec = tf.TensorSpec((None, SIZE, SIZE, 1), tf.float32, "input")
    function = convert_variables_to_constants_v2(tf.function(lambda x: answers(x, weights)).get_concrete_function(spec))
    return function.graph.as_graph_def(), function.inputs[0].name, function.outputs[0].name


def mean_iou(given, labels):
    shares = [((given == c) & (labels == c)).sum() / ((given == c) | (labels == c)).sum() for c in range(CLASSES)]
    return 100 * float(np.mean(shares))


@pytest.mark.tensorflow
def test_pixels_and_a_metric_of_the_users(tmp_path):
    for name in ("pretrained_model", "output", "dataset", "metric"):
        (tmp_path / name).mkdir()
    graph, source, output = train()
    (tmp_path / "pretrained_model" / "net.pb").write_bytes(graph.SerializeToString())
    values, labels = drawn(80, 7)
    np.savez(tmp_path / "dataset" / "data.npz", **{source.partition(":")[0]: values, "labels": labels})
    (tmp_path / "metric" / "m.py").write_text(METRIC)
    job = {"schema": 1, "in_graph": "pretrained_model/net.pb", "out_graph": "output/net_int8.pb"}
    job.update(data_location="dataset", samples=20, threads=1, metric="metric/m.py:right", max_drop=5, blame=False)
    status, events, log = run(tmp_path, "--job", json.dumps(job))
    assert status == 0, log
    (result,) = by_name(events, "result")
    assert result["verdict"]["word"] == "held"
    own, iou = result["accuracy"]["measures"]
    assert (own["metric"], own["samples"]) == ("m.py:right", 60)
    assert (iou["metric"], iou["samples"]) == ("mean IoU", 60)
    with Runner(graph, [output]) as fp32:
        given = fp32.run({source: values})[0].argmax(axis=3)
    # which 60 of the 80 were compared on is the job's choice; all are of one kind
    assert mean_iou(given, labels) > 60  # it has learned
    assert iou["fp32"] == pytest.approx(mean_iou(given, labels), abs=3)
    assert own["fp32"] == pytest.approx(100 * (given == labels).mean(), abs=1.5)
    for each in (own, iou):
        assert each["low"] <= each["points"] <= each["high"]
        assert abs(each["points"]) < 3
