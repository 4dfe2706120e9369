"""Where the differentiable part of a graph ends, and from which tensors on it is one."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.calibration.sensitivity.gradients import has_gradient_in
from intel_quantization.calibration.sensitivity.smooth_ends import find_smooth_part
from intel_quantization.graph.graph import Graph
from tests.quantization import builders as b
from tests.quantization.nets.detector import block, detector

pytestmark = pytest.mark.tensorflow


def part(function, sources, outputs=("out",)):
    graph_def = b.build(function)
    imported = tf.Graph()
    with imported.as_default():
        tf.import_graph_def(graph_def, name="there")
    return find_smooth_part(Graph(graph_def, outputs), sources, has_gradient_in(imported, "there/"))


def last(x):
    tf.identity(x, "out")


def test_of_a_detector_they_are_boxes_and_scores():
    found = part(detector, ["first/out", "second/out"])
    assert found.sources == ("first/out", "second/out")
    assert set(found.ends) == {"strided_slice", "scores"}  # the slice is what the boxes are reshaped from


def test_scores_end_ahead_of_softmax_and_reshape():
    def net():
        x = block(b.image((None, 8, 8, 4)), "first", 8)
        last(tf.reshape(tf.nn.softmax(tf.reduce_mean(x, [1, 2], name="logits")), (-1, 2, 4)))

    assert part(net, ["first/out"]) == (("first/out",), ("logits",))


def test_several_outputs_are_several_ends():
    def net():
        x = block(b.image((None, 8, 8, 4)), "first", 8)
        tf.reduce_mean(x, [1, 2], name="features")
        tf.sigmoid(tf.reduce_max(x, [1, 2], name="most"), name="out")

    assert part(net, ["first/out"], ("features", "out")).ends == ("features", "most")


def test_what_is_seen_through_a_jump_is_no_source():
    """The first layer's values go on only as places of the largest, the second's as they are."""

    def net():
        x = block(b.image((None, 8, 8, 4)), "first", 8)
        places = tf.cast(tf.argmax(x, 3), tf.float32)
        last(block(tf.expand_dims(places, 3), "second", 8))

    found = part(net, ["first/out", "second/out"])
    assert found.sources == ("second/out",)
    assert "first/out" in found.ends  # what picks from it ends it, too


def test_a_jump_on_one_of_two_ways_cuts_where_they_meet():
    def net():
        x = block(b.image((None, 8, 8, 4)), "first", 8)
        y = tf.multiply(x, 2.0, name="plain")
        last(y * tf.cast(tf.expand_dims(tf.argmax(x, 3), 3), tf.float32))

    assert set(part(net, ["first/out"]).ends) == {"first/out", "plain"}


def test_shapes_are_no_jumps():
    def net():
        x = block(b.image((None, 8, 8, 4)), "first", 8)
        last(tf.reshape(x * 2.0, tf.stack([tf.shape(x)[0], -1])))

    assert part(net, ["first/out"]).ends == ("mul",)


def test_nothing_in_a_loop_is_a_source():
    def net():
        with b.old_control_flow():
            x = tf.while_loop(
                lambda i, _x: i < 2, lambda i, x: (i + 1, block(x, "body", 4)), [0, b.image((1, 8, 8, 4))], name="while"
            )[1]
        last(block(x, "after", 4))

    assert part(net, ["while/body/out", "after/out"]).sources == ("after/out",)


def test_nothing_where_no_value_comes_through():
    def net():
        last(tf.shape(block(b.image((None, 8, 8, 4)), "first", 8)))

    assert part(net, ["first/out"]).ends == ()
