"""Where gradients begin, where what picks boxes out has none."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intel_quantization.blame.blame import find_blame
from intel_quantization.blame.ends import gradient_ends
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize.quantize_graph import Options
from tests.quantization.builders import activate, bias, build, conv, image, weights_for

PLAIN = Options(algo="DIRECT", equalize=False, adaptive_rounding=False)


def block(x, name, filters):
    x = conv(x, filters, 3, name=name, weights=weights_for(name, (3, 3, int(x.shape[-1]), filters)))
    return activate(bias(x, name + "/bias"), "relu", name + "/out")


def detector():
    """A loop of TensorFlow 1, two layers, boxes and scores, and a suppression in another loop."""
    enabled = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    shape = (1, 8, 8, 4)
    x = tf.while_loop(lambda number, _x: number < 2, lambda number, x: (number + 1, 2.0 * x), (0, image(shape)))[1]
    x = block(block(tf.reshape(x, shape), "first", 8), "second", 8)
    boxes = tf.reshape(x[..., :4], (-1, 4), name="boxes")
    scores = tf.reduce_mean(tf.reshape(x[..., 4:], (-1, 4)), axis=1, name="scores")

    def step(number, kept):
        chosen = tf.image.non_max_suppression(boxes, scores * tf.cast(number + 1, tf.float32), 5)
        return number + 1, kept + tf.reduce_sum(tf.gather(scores, chosen))

    _number, total = tf.while_loop(lambda number, _kept: number < 3, step, (0, 0.0))
    if enabled:
        tf.compat.v1.enable_control_flow_v2()
    tf.identity(total, name="out")


def test_ends_are_what_is_read_where_no_gradient_passes():
    graph = build(detector)
    assert {name.partition(":")[0] for name in gradient_ends(graph, ["second/out"], ["out:0"])} == {"boxes", "scores"}


def test_without_such_ops_they_are_the_outputs():
    graph = build(lambda: block(image((1, 8, 8, 4)), "only", 8))
    assert gradient_ends(graph, ["only/out"], ["only/out:0"]) == ["only/out:0"]


def test_blame_of_a_detector_has_its_damage():
    rng = np.random.RandomState(0)
    feeds = [{"input:0": rng.normal(0, 1, (1, 8, 8, 4)).astype(np.float32)} for _ in range(4)]
    conversion = GraphConverter(
        build(detector), calibration_data=feeds, algo="DIRECT", equalize=False, adaptive_rounding=False
    ).convert()
    assert conversion.layers
    found = find_blame(conversion, PLAIN, feeds, 4, threads=1)
    assert all(error.damage is not None and error.damage > 0 for error in found.errors.values())
