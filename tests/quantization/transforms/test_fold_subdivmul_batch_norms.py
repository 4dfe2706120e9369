"""Batch norms in pieces, of every form, become one linear op and its bias."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.convert_layout import convert_layout
from intel_quantization.transforms.fold_subdivmul_batch_norms import fold_subdivmul_batch_norms
from intel_quantization.transforms.pipeline import OPTIMIZE_FP32, optimize
from intel_quantization.transforms.rule import refusals
from tests.quantization.builders import (
    assert_same_numbers,
    bias,
    build,
    check_rewrite,
    conv,
    conv_first,
    dense,
    depthwise,
    image,
    ops,
    random,
    refusal,
)

pytestmark = pytest.mark.tensorflow

CHANNELS = 8
LINEAR = {
    "conv": lambda: conv(image(), name="linear"),
    "depthwise": lambda: depthwise(image(), 2, name="linear"),
    "dense": lambda: dense(image((None, 4)), CHANNELS, name="linear"),
    "transposed": lambda: dense(image((None, 4)), CHANNELS, transpose=True, name="linear"),
    "first": lambda: conv_first(image((2, 4, 5, 5)), name="linear"),
}


def parameters(shape):
    """gamma, beta, mean and the square root of the variance, none of them near 0."""
    gamma, beta, mean = (tf.constant(random(part, (CHANNELS,)).reshape(shape)) for part in ("g", "b", "m"))
    return gamma, beta, mean, tf.constant((np.abs(random("v", (CHANNELS,))) + 0.5).reshape(shape))


def slim(x, p):
    gamma, beta, mean, variance = p
    scale = tf.math.rsqrt(variance + 0.001) * gamma
    return x * scale + (beta - mean * scale)


def slim_subtracted(x, p):
    gamma, beta, mean, variance = p
    scale = tf.math.rsqrt(variance + 0.001) * gamma
    return scale * x - (mean * scale - beta)


def by_hand(x, p):
    gamma, beta, mean, variance = p
    return (x - mean) / tf.sqrt(variance + 0.001) * gamma + beta


def gamma_first(x, p):
    gamma, beta, mean, variance = p
    return beta + gamma * (x - mean) / tf.sqrt(variance + 0.001)


def old_division(x, p):
    gamma, beta, mean, variance = p
    return tf.raw_ops.Add(x=tf.raw_ops.Div(x=gamma * (x - mean), y=tf.sqrt(variance)), y=beta)


def from_beta(x, p):
    gamma, beta, mean, variance = p
    return beta - (mean - x) * (gamma / tf.sqrt(variance))


def negated(x, p):
    gamma, beta, mean, variance = p
    return -(x / variance) * gamma + (beta - mean)


def no_gamma(x, p):
    _, beta, mean, variance = p
    return (x - mean) * tf.math.rsqrt(variance + 0.001) + beta


def long(x, p):
    for number, part in enumerate(p * 3):
        x = x * part if number % 2 else x + part
    return x


FORMS = [slim, slim_subtracted, by_hand, gamma_first, old_division, from_beta, negated, no_gamma, long]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("linear", "biased"), list(itertools.product(sorted(LINEAR), [False, True])))
def test_every_form_ends_as_one_op_with_its_bias(form, linear, biased):
    def net():
        first = linear == "first"
        x = LINEAR[linear]()
        if biased:
            x = tf.nn.bias_add(x, tf.constant(random("bias", (CHANNELS,))), "NCHW" if first else "NHWC")
        tf.nn.relu(form(x, parameters((CHANNELS, 1, 1) if first else (CHANNELS,))), name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    # NCHW is folded as it is, too
    done = optimize(graph, tuple(item for item in OPTIMIZE_FP32 if item is not convert_layout))
    assert {item.name: item.count for item in done if "batch_norms" in item.name}["fold_subdivmul_batch_norms"] == 0
    assert sum(item.count for item in done if item.name == "fold_subdivmul_batch_norms") == 1
    op = {"conv": "Conv2D", "first": "Conv2D", "depthwise": "DepthwiseConv2dNative"}.get(linear, "MatMul")
    assert ops(graph) == {"Placeholder": 1, "Const": 2, op: 1, "BiasAdd": 1, "Relu": 1}
    assert_same_numbers(before, graph, ["out"])


def pieces(*steps, source=conv):
    """A function that builds a convolution and steps behind it, the last of them named out."""

    def net():
        x = source(image())
        for step in steps:
            x = step(x)
        tf.identity(x, name="out")

    return net


FACTOR = np.abs(random("factor", (CHANNELS,))) + 0.5


def test_one_rewrite_whatever_the_length():
    graph = check_rewrite(
        fold_subdivmul_batch_norms,
        pieces(
            lambda x: x * FACTOR, lambda x: x + FACTOR, lambda x: FACTOR - x, lambda x: x / FACTOR, bias, tf.negative
        ),
        1,
    )
    assert ops(graph) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1, "Identity": 1}


@pytest.mark.parametrize("step", [tf.negative, lambda x: FACTOR - x])
def test_pieces_that_only_this_pass_knows(step):
    check_rewrite(fold_subdivmul_batch_norms, pieces(step), 1)
    check_rewrite(fold_subdivmul_batch_norms, pieces(bias, step), 1)


@pytest.mark.parametrize("steps", [(), (bias,), (lambda x: x * FACTOR,), (bias, lambda x: x + FACTOR)])
def test_a_single_piece_is_left_to_its_pass(steps):
    check_rewrite(fold_subdivmul_batch_norms, pieces(*steps), 0)


def test_the_chain_ends_where_it_must():
    graph = check_rewrite(
        fold_subdivmul_batch_norms, pieces(lambda x: x * FACTOR, lambda x: x + FACTOR, lambda x: x * x), 1
    )
    assert ops(graph)["Mul"] == 1


def test_outputs_and_shared_nodes_keep_their_values():
    def net():
        x = tf.add(conv(image()) * FACTOR, FACTOR, name="middle") * FACTOR
        y = tf.add(x, FACTOR, name="out")
        tf.multiply(tf.nn.relu(y), y, name="last")

    graph = check_rewrite(fold_subdivmul_batch_norms, net, 1, ("middle", "out", "last"))
    assert graph.nodes["middle"].op == "BiasAdd"


def test_a_last_piece_that_waits_goes_on_waiting():
    def net():
        x = image()
        y = conv(x) * FACTOR
        with tf.control_dependencies([tf.nn.relu(x, name="first")]):
            tf.add(y, tf.constant(FACTOR), name="out")

    graph = check_rewrite(fold_subdivmul_batch_norms, net, 1)
    assert graph.control_inputs(graph.nodes["out"]) == []  # a constant made there waits instead


def reason(*steps, outputs=("out",), source=conv):
    graph = Graph(build(pieces(*steps, source=source)), outputs)
    before = graph.to_graph_def()
    assert fold_subdivmul_batch_norms(graph) == 0
    assert graph.to_graph_def() == before
    return "; ".join(refusals(graph, [fold_subdivmul_batch_norms]).values())


def wait(x):
    with tf.control_dependencies([tf.nn.relu(x[:1])]):
        return x * FACTOR


def twice(x):
    return tf.nn.relu(x) * (x * FACTOR)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x * random("rows", (8, 1)),
        lambda x: x * random("all", (8, 8, 8)),
        lambda x: x / np.zeros(CHANNELS, np.float32),
        lambda x: FACTOR / (x + 0.0),
        lambda x: x + image((CHANNELS,), "y"),
        lambda x: x * x,
        lambda x: x + FACTOR.reshape(1, 1, 1, 1, CHANNELS),
    ],
)
def test_no_piece(step):
    text = reason(step, lambda x: x * FACTOR)
    assert "no operation of a constant for each channel" in text or "also read elsewhere" in text


def test_reasons():
    assert "also read elsewhere" in reason(twice)
    assert reason(lambda x: tf.identity(x) * FACTOR, lambda x: x + FACTOR) == ""
    named = pieces(lambda x: tf.identity(x, name="conv_out"))
    graph = Graph(build(named), ["out", "conv"])
    assert refusal(fold_subdivmul_batch_norms, graph, "conv") == ""
    computed = Graph(build(lambda: tf.linalg.matmul(image((2, 4)), image((4, 8), "w"), name="c") * FACTOR))
    assert refusal(fold_subdivmul_batch_norms, computed, "c") == "'w' is not a constant"
    half = Graph(
        build(lambda: -tf.linalg.matmul(image((2, 4), dtype=tf.float16), np.ones((4, 8), np.float16), name="c"))
    )
    assert refusal(fold_subdivmul_batch_norms, half, "c") == "'c' is not float32"


def test_a_piece_that_only_waits_is_none():
    def net():
        x = conv(image(), name="conv")
        with tf.control_dependencies([x]):
            tf.add(image((CHANNELS,), "y"), image((CHANNELS,), "z"), name="out")

    check_rewrite(fold_subdivmul_batch_norms, net, 0)


def test_a_norm_before_the_convolution_stays():
    def net():
        x = image()
        tf.nn.relu(conv(tf.nn.relu(x * random("s", (4,)) + random("t", (4,)))), name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    optimize(graph)
    assert ops(graph)["Mul"] == 1
    assert_same_numbers(before, graph, ["out"])
