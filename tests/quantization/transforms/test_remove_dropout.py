"""Dropouts that keep everything go, in all forms that TensorFlow has written; their inputs, too."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fold_constants import fold_constants
from intel_quantization.transforms.pipeline import optimize
from intel_quantization.transforms.remove_dropout import remove_dropout
from intel_quantization.transforms.rule import refusals
from tests.quantization.builders import assert_same_numbers, build, check_rewrite, image, ops, v1

pytestmark = pytest.mark.tensorflow

SHAPE = (3, 4)


def uniform(x):
    """As tf.random_uniform wrote it."""
    drawn = tf.raw_ops.RandomUniform(shape=tf.shape(x), dtype=tf.float32)
    low, high = tf.constant(0.0), tf.constant(1.0)
    return drawn * (high - low) + low


def oldest(x, keep):
    return tf.divide(x, keep) * tf.floor(keep + uniform(x))


def masked(x, keep):
    scaled = x * (1.0 / (1.0 - (1.0 - keep)))
    return scaled * tf.cast(uniform(x) >= 1.0 - keep, tf.float32)


def selected(x, keep):
    return tf.raw_ops.SelectV2(condition=uniform(x) >= 1.0 - keep, t=x * (1.0 / keep), e=tf.constant(0.0))


def current(x, keep):
    return tf.nn.dropout(x, rate=1.0 - keep)


FORMS = [oldest, masked, selected, current]


def dropped(form, keep):
    def net():
        x = tf.nn.relu(image((None, *SHAPE)))
        tf.nn.sigmoid(form(x, keep()), name="out")

    return net


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "keep",
    [
        lambda: tf.constant(1.0, name="keep"),
        lambda: v1.placeholder_with_default(1.0, (), "keep"),
        lambda: tf.identity(v1.placeholder_with_default(1.0, (), "keep")),
    ],
)
def test_removed(form, keep):
    before = build(dropped(form, keep))
    graph = Graph(before, ["out"])
    optimize(graph)
    assert ops(graph) == {"Placeholder": 1, "Relu": 1, "Sigmoid": 1}
    assert_same_numbers(before, graph, ["out"])


@pytest.mark.parametrize("form", [oldest, masked, selected])
@pytest.mark.parametrize("keep", [lambda: tf.constant(0.5), lambda: v1.placeholder(tf.float32, (), "keep")])
def test_what_is_random_stays(form, keep):
    graph = Graph(build(dropped(form, keep)), ["out"])
    optimize(graph)
    assert ops(graph)["RandomUniform"] == 1


def test_an_output_keeps_its_name():
    def net():
        oldest_output = tf.floor(tf.constant(1.0) + tf.raw_ops.RandomUniform(shape=[2, 3], dtype=tf.float32))
        tf.multiply(image((2, 3)), oldest_output, name="out")

    assert check_rewrite(remove_dropout, net, 1).nodes["out"].op == "Identity"


@pytest.mark.parametrize(
    "mask",
    [
        lambda x: tf.floor(1.0 + x),
        lambda x: tf.floor(2.0 + tf.raw_ops.RandomUniform(shape=SHAPE, dtype=tf.float32)),
        lambda x: tf.floor(1.0 + tf.raw_ops.RandomUniform(shape=SHAPE, dtype=tf.float32) * 3.0),
        lambda x: tf.floor(1.0 - tf.raw_ops.RandomUniform(shape=SHAPE, dtype=tf.float32)),
        lambda x: tf.cast(tf.raw_ops.RandomUniform(shape=SHAPE, dtype=tf.float32) >= 0.1, tf.float32),
        lambda x: tf.cast(tf.raw_ops.RandomStandardNormal(shape=SHAPE, dtype=tf.float32) >= 0.0, tf.float32),
        lambda x: tf.cast(x >= 0.0, tf.float32),
        lambda x: tf.cast(tf.raw_ops.RandomUniform(shape=SHAPE, dtype=tf.float32) > 0.0, tf.float32),
    ],
)
def test_other_masks_stay(mask):
    def net():
        x = image(SHAPE)
        tf.multiply(x, mask(x), name="out")

    graph = Graph(build(net), ["out"])
    assert remove_dropout(graph) == 0


@pytest.mark.parametrize("form", [oldest, masked, selected])
def test_one_that_drops_says_so(form):
    graph = Graph(build(dropped(form, lambda: tf.constant(0.5))), ["out"])
    fold_constants(graph)
    found = refusals(graph, [remove_dropout])
    assert [reason.split("'")[2] for reason in found.values()] == [
        " drops numbers at random: a training graph was frozen"
    ]


def test_a_product_that_is_no_dropout_has_no_reason():
    graph = Graph(build(lambda: tf.multiply(image(), tf.nn.sigmoid(image(name="y")), name="out")), ["out"])
    assert refusals(graph, [remove_dropout]) == {}
