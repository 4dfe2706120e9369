"""The FP32 passes together: real arrangements, numbers kept, broken passes caught."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from intel_quantization.errors import BadInputError, InvalidGraphError
from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.pipeline import optimize
from tests.quantization.builders import (
    assert_same_numbers,
    batch,
    bias,
    build,
    conv,
    conv_block,
    dense,
    depthwise,
    image,
    norm,
    old_control_flow,
    ops,
    random,
    run,
)
from tests.quantization.drawn_nets import nets

pytestmark = pytest.mark.tensorflow


def optimized(function, outputs=("out",)):
    before = build(function)
    graph = Graph(before, outputs)
    optimize(graph)
    assert_same_numbers(before, graph, outputs)
    return graph


def decomposed(x, name, style):
    """A batch norm in the pieces that Keras and TF-slim write."""
    channels = (int(x.shape[-1]),)
    gamma, beta, mean = (tf.constant(random(name + part, channels)) for part in ("g", "b", "m"))
    variance = tf.constant(np.abs(random(name + "v", channels)) + 0.5)
    if style == "rsqrt":
        scale = tf.math.rsqrt(variance + 0.001) * gamma
        return x * scale + (beta - mean * scale)
    return (x - mean) / tf.sqrt(variance + 0.001) * gamma + beta


@pytest.mark.parametrize("style", ["rsqrt", "sub_div_mul"])
@pytest.mark.parametrize("linear", [conv, depthwise])
@pytest.mark.parametrize("biased", [False, True])
def test_decomposed_batch_norms_are_folded(style, linear, biased):
    def net():
        x = linear(image(), name="linear")
        tf.nn.relu(decomposed(bias(x) if biased else x, "norm", style), name="out")

    op = "Conv2D" if linear is conv else "DepthwiseConv2dNative"
    assert set(ops(optimized(net))) == {"Placeholder", "Const", op, "BiasAdd", "Relu"}


def test_a_dense_layer_with_a_decomposed_norm():
    def net():
        tf.nn.relu(decomposed(bias(dense(image((None, 6)), 5)), "norm", "rsqrt"), name="out")

    assert set(ops(optimized(net))) == {"Placeholder", "Const", "MatMul", "BiasAdd", "Relu"}


def test_norms_behind_identities_and_the_reads_of_variables():
    def net():
        x = tf.identity(norm(tf.identity(conv(tf.identity(image()), name="conv")), "norm"))
        tf.nn.relu(x, name="out")

    assert set(ops(optimized(net))) == {"Placeholder", "Const", "Conv2D", "BiasAdd", "Relu"}


def test_outputs_in_the_middle_keep_their_values():
    def net():
        x = norm(conv(image(), name="first"), "middle")
        tf.nn.relu(norm(conv(tf.nn.relu(x), name="second"), "norm"), name="out")

    graph = optimized(net, ("out", "middle", "second"))
    assert ops(graph)["FusedBatchNormV3"] == 1


def test_a_loop_around_a_network_runs_on():
    def net():
        x = image((1, 4, 4, 4))

        def body(i, t):
            return i + 1, tf.nn.relu(decomposed(norm(conv(t, 4, name="conv"), "norm"), "parts", "rsqrt"))

        with old_control_flow():
            x = tf.while_loop(lambda i, t: i < 2, body, [0, x])[1]
            x = tf.cond(tf.reduce_sum(x) > 0, lambda: conv_block(x, "yes", filters=4), lambda: -x)
        tf.nn.relu(norm(conv(x, name="last"), "end"), name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    optimize(graph)
    feed = batch(before)
    np.testing.assert_allclose(run(graph, feed, "out")[0], run(before, feed, "out")[0], rtol=1e-4, atol=1e-4)


def test_a_second_run_changes_nothing():
    graph = optimized(lambda: tf.nn.relu(norm(conv(image()), "norm"), name="out"))
    first = graph.to_graph_def()
    assert [applied for applied in optimize(graph) if applied.count] == []
    assert graph.to_graph_def() == first


def test_after_pass_is_told_what_changed():
    graph = Graph(build(lambda: tf.nn.relu(norm(conv(image()), "norm"), name="out")), ["out"])
    seen = []
    applied = optimize(graph, after_pass=lambda number, name, graph: seen.append((number, name, len(graph))))
    assert [name for _, name, _ in seen] == [item.name for item in applied if item.count]
    assert ("fold_batch_norms", 1) in [(item.name, item.count) for item in applied]


def test_a_broken_pass_is_caught_and_named():
    def careless(graph):
        graph.nodes["out"].input[0] = "nowhere"
        return 1

    graph = Graph(build(lambda: tf.nn.relu(image(), name="out")), ["out"])
    with pytest.raises(InvalidGraphError, match="after 'careless'"):
        optimize(graph, (careless,))


def test_a_graph_that_is_broken_from_the_start_is_the_users():
    graph_def = build(lambda: bias(image(), name="out"))
    del graph_def.node[-1].input[1]
    with pytest.raises(BadInputError, match=r"'out' \(BiasAdd\) has 1 inputs, not 2") as caught:
        optimize(Graph(graph_def, ["out"]))
    assert "report" not in caught.value.remedy


@settings(max_examples=25, deadline=None, derandomize=True)
@given(nets())
def test_random_networks_keep_their_numbers(net):
    before = build(net)
    graph = Graph(before, ["out"])
    optimize(graph)
    assert_same_numbers(before, graph, ["out"], tolerance=1e-3)
