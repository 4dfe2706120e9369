"""Optional inputs that only switch training on become constants; other optional inputs stay."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.fix_training_switches import fix_training_switches
from tests.quantization.builders import build, check_rewrite, image, ops, refusal, v1

pytestmark = pytest.mark.tensorflow

SHAPE = (3, 4)


def test_truth_values_become_constants():
    def net():
        flag = v1.placeholder_with_default(False, (), "training")
        tf.cast(tf.logical_not(flag), tf.float32, name="out")

    graph = check_rewrite(fix_training_switches, net, 1)
    assert graph.nodes["training"].op == "Const"


def threshold():
    return tf.cast(image(SHAPE) > v1.placeholder_with_default(0.5, (), "threshold"), tf.float32, name="out")


def several():
    flags = v1.placeholder_with_default([True, False, True, False], (4,), "flags")
    return tf.multiply(image(SHAPE), tf.cast(flags, tf.float32), name="out")


def computed():
    flag = v1.placeholder_with_default(tf.reduce_sum(image(SHAPE)) > 0, (), "flag")
    return tf.cast(flag, tf.float32, name="out")


def count():
    return tf.multiply(image(SHAPE), tf.cast(v1.placeholder_with_default(3, (), "n"), tf.float32), name="out")


def noise():
    level = v1.placeholder_with_default(0.0, (), "level")
    return tf.add(image(SHAPE), level, name="out")


@pytest.mark.parametrize("net", [threshold, several, computed, count, noise])
def test_other_optional_inputs_stay(net):
    check_rewrite(fix_training_switches, net, 0)


def test_an_output_stays():
    graph = Graph(build(lambda: v1.placeholder_with_default(False, (), "out")), ["out"])
    assert fix_training_switches(graph) == 0


@pytest.mark.parametrize("derive", [lambda keep: keep, lambda keep: 1.0 - keep])
def test_what_a_dropout_compares_with_random_numbers(derive):
    def net():
        keep = v1.placeholder_with_default(1.0, (), "keep")
        drawn = tf.raw_ops.RandomUniform(shape=SHAPE, dtype=tf.float32)
        tf.multiply(image(SHAPE), tf.cast(drawn >= derive(keep), tf.float32), name="out")

    graph = Graph(build(net), ["out"])
    assert fix_training_switches(graph) == 1
    assert "PlaceholderWithDefault" not in ops(graph)


def test_an_output_says_so():
    def net():
        x = v1.placeholder_with_default(False, (), "training")
        tf.logical_not(x, name="out")

    graph = Graph(build(net), ["out", "training"])
    assert refusal(fix_training_switches, graph, "training") == "'training' is an output"
    assert fix_training_switches(graph) == 0
