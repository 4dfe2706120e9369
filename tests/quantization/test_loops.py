"""Conversions of graphs with while loops and branches as TensorFlow 1 writes them, and frozen graphs have them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.session import open_session
from tests.quantization.builders import (
    batch,
    bias,
    build,
    conv,
    conv_block,
    convert,
    dense,
    depthwise,
    error,
    image,
    int8_ops,
    norm,
    old_control_flow,
    ops,
    reasons,
    run,
    v1,
)
from tests.quantization.kept_weights import kept_weights

pytestmark = pytest.mark.tensorflow
SHAPE = (2, 8, 8, 4)


def repeat(times, body, x, name="while"):
    """``body`` applied some times in a loop."""
    with old_control_flow():
        return tf.while_loop(lambda i, t: i < times, lambda i, t: (i + 1, body(t)), [0, x], name=name)[1]


def converted(body, tolerance=0.05, **options):
    """The conversion of a graph with ``body`` between input and output, which has to give what FP32 gives."""
    graph_def = build(lambda: tf.identity(body(image(SHAPE)), name="out"))
    conversion, again = convert(graph_def, **options), convert(graph_def, **options)
    assert not {"While", "If", "StatelessWhile", "StatelessIf"} & set(ops(graph_def))
    assert again.graph.SerializeToString(deterministic=True) == conversion.graph.SerializeToString(deterministic=True)
    for seed in (1, 7):
        assert error(conversion, batch(graph_def, seed=seed)) < tolerance
    return conversion


def inside(conversion):
    """The INT8 ops by the number of loops around them."""
    graph = Graph(conversion.graph)
    return {
        node.name: len(graph.frame(node.name)) for node in graph.nodes.values() if node.op.startswith("QuantizedConv2D")
    }


# -- loops ---------------------------------------------------------------------------------------


def test_a_loop_in_a_loop():
    def middle(t):
        t = conv_block(repeat(2, lambda u: conv_block(u, "deep", filters=4), t, "inner"), "shallow", filters=4)
        return t / (1e-3 + tf.reduce_max(t))

    conversion = converted(lambda x: conv_block(repeat(3, middle, x, "outer"), "after"))
    assert reasons(conversion) == {"outer/inner/deep": "", "outer/shallow": "", "after": ""}
    assert sorted(inside(conversion).values()) == [0, 1, 2]


def test_batch_norms_and_pieces_of_them_are_folded():
    def block(t):
        t = tf.nn.relu6(norm(conv(t, 4, name="conv", weights=kept_weights("conv", (3, 3, 4, 4))), "norm"))
        t = conv(tf.identity(t), 4, name="pieces")
        scale = tf.constant(np.abs(np.arange(4, dtype=np.float32)) + 0.5) * tf.math.rsqrt(
            tf.constant([1.0, 2, 3, 4]) + 0.001
        )
        return tf.nn.relu(t * scale + (tf.constant([0.1, 0.2, 0.3, 0.4]) - tf.constant([0.4, 0.3, 0.2, 0.1]) * scale))

    conversion = converted(lambda x: repeat(2, block, x), per_channel=True)
    assert set(reasons(conversion).values()) == {""}
    assert not {"FusedBatchNormV3", "Rsqrt", "Sub"} & set(ops(conversion.graph))
    assert int8_ops(conversion.graph) == {"QuantizedConv2DWithBiasAndReluAndRequantize": 2}


def test_weights_from_outside_become_constants_inside():
    """oneDNN reorders weights once only if they are a Const; through Enter they would be reordered in each round."""

    def net(x):
        weights = tf.constant(np.random.RandomState(0).normal(0, 0.2, (3, 3, 4, 4)).astype(np.float32), name="w")

        def block(t):
            t = v1.nn.conv2d(t, weights, strides=[1, 1, 1, 1], padding="SAME", name="conv")
            return tf.nn.relu(bias(t, "bias"))

        return repeat(3, block, x)

    conversion = converted(net)
    assert reasons(conversion) == {"while/conv": ""}
    graph = Graph(conversion.graph)
    (int8,) = (node for node in graph.nodes.values() if node.op.startswith("QuantizedConv2D"))
    weights = graph.nodes[int8.input[1]]
    assert weights.op == "Const"
    assert graph.frame(weights.name) == graph.frame(int8.name) != ()
    assert "w" not in graph


def test_all_that_passes_int8_values_on():
    def block(t):
        t = conv_block(t, "first")
        t = tf.nn.max_pool2d(tf.pad(t, [[0, 0], [1, 1], [1, 1], [0, 0]], name="pad"), 3, 1, "VALID")
        t = tf.concat([conv_block(t, "left"), conv_block(t, "right")], 3, name="concat")
        t = tf.squeeze(tf.expand_dims(tf.nn.avg_pool2d(t, 2, 1, "SAME"), 1), [1])
        t = tf.nn.relu6(bias(depthwise(t, name="depthwise"), "depthwise/bias"))
        return conv_block(tf.pad(t, [[0, 0], [1, 1], [1, 1], [0, 0]]), "last", filters=4, padding="VALID")

    conversion = converted(lambda x: repeat(2, block, x))
    assert set(reasons(conversion).values()) == {""}
    assert {row.op: row.int8 for row in conversion.op_table} == {
        "AvgPool": 1,
        "ConcatV2": 1,
        "Conv2D": 4,
        "DepthwiseConv2dNative": 1,
        "MaxPool": 1,
    }
    assert {"Bitcast", "QuantizedConcatV2", "QuantizedMaxPool", "QuantizedAvgPool"} <= set(ops(conversion.graph))


@pytest.mark.parametrize("signed", [False, True])
def test_residual_sums_in_rounds_that_overlap(signed):
    """A sum is made in the memory of its summand; rounds run at the same time, each with memory of its own."""

    def block(t):
        short = conv_block(t, "short", None if signed else "relu", filters=8)
        long = bias(conv(conv_block(t, "long"), 8, name="last"), "last/bias")
        return conv_block(tf.nn.relu(long + short), "out", filters=4)

    def net(x):
        def body(i, t, total):
            return i + 1, t * 0.9, total + block(t)

        with old_control_flow():
            return tf.while_loop(
                lambda i, t, total: i < 20, body, [0, x, tf.zeros_like(x)], parallel_iterations=10, name="while"
            )[2]

    graph_def = build(lambda: tf.identity(net(image(SHAPE)), name="out"))
    conversion = convert(graph_def)
    assert sum("Sum" in op for op in int8_ops(conversion.graph)) == 1
    feed = batch(graph_def, seed=3)
    wanted = run(graph_def, feed, "out")[0]
    with open_session(conversion.graph, threads=2) as session:
        first = session.run("out:0", feed)
        for _ in range(10):
            np.testing.assert_array_equal(session.run("out:0", feed), first)
    assert np.abs(first - wanted).max() < 0.05 * np.abs(wanted).max()


def test_an_input_that_does_not_change_from_round_to_round():
    def net(x):
        with old_control_flow():
            return tf.while_loop(
                lambda i, t: i < 3,
                lambda i, t: (i + 1, t + conv_block(x, "conv", filters=4)),
                [0, x],
                name="while",
            )[1]

    assert reasons(converted(net)) == {"while/conv": ""}


def test_a_loop_that_calibration_never_ran():
    def net(x):
        y = repeat(tf.cast(tf.reduce_sum(x) > 1e9, tf.int32), lambda t: conv_block(t, "body", filters=4), x)
        return conv_block(y, "after")

    conversion = converted(net)
    assert reasons(conversion) == {"while/body": "never ran during calibration", "after": ""}
    feed = {"input:0": np.full(SHAPE, 1e9, np.float32)}
    assert run(conversion.graph, feed, "out")[0].shape == (2, 8, 8, 8)


# -- branches ------------------------------------------------------------------------------------


def sides(x, yes, no, condition=None, name="cond"):
    with old_control_flow():
        return tf.cond(tf.reduce_sum(x) > 0 if condition is None else condition, yes, no, name=name)


def test_both_branches_were_taken():
    def net():
        x = image(SHAPE)
        flag = v1.placeholder(tf.bool, (), "flag")
        stem = conv_block(x, "stem")
        y = sides(stem, lambda: conv_block(stem, "yes"), lambda: conv_block(-stem, "no"), flag)
        tf.identity(conv_block(y, "after"), name="out")

    graph_def = build(net)
    feeds = [dict(batch(graph_def, seed=seed), **{"flag:0": bool(seed % 2)}) for seed in range(4)]
    conversion = convert(graph_def, feeds)
    assert reasons(conversion) == {"stem": "", "cond/yes": "", "cond/no": "", "after": ""}
    for feed in feeds:
        assert error(conversion, feed) < 0.05


def test_the_branch_that_was_not_taken_still_gives_what_fp32_gives():
    def net():
        x = image(SHAPE)
        flag = v1.placeholder(tf.bool, (), "flag")
        y = sides(x, lambda: conv_block(x, "yes"), lambda: conv_block(-x, "no"), flag)
        tf.identity(y, name="out")

    graph_def = build(net)
    conversion = convert(graph_def)  # the flag is true
    assert reasons(conversion) == {"cond/yes": "", "cond/no": "never ran during calibration"}
    feed = dict(batch(graph_def, seed=5), **{"flag:0": False})
    np.testing.assert_allclose(run(conversion.graph, feed, "out")[0], run(graph_def, feed, "out")[0], atol=1e-5)


def test_a_branch_in_a_loop_and_a_loop_in_a_branch():
    def net(x):
        def body(i, t):
            t = sides(
                t,
                lambda: conv_block(t, "even", filters=4),
                lambda: repeat(2, lambda u: conv_block(u, "odd", filters=4), t, "inner"),
                tf.equal(i % 2, 0),
            )
            return i + 1, t

        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 4, body, [0, x], name="while")[1]
        return conv_block(y, "after")

    conversion = converted(net)
    assert reasons(conversion) == {"while/cond/even": "", "while/cond/inner/odd": "", "after": ""}
    assert sorted(inside(conversion).values()) == [0, 1, 2]


def test_constants_from_outside_in_a_branch():
    def net(x):
        weights = tf.constant(np.random.RandomState(0).normal(0, 0.2, (3, 3, 4, 4)).astype(np.float32), name="w")

        def block(t):
            t = v1.nn.conv2d(t, weights, strides=[1, 1, 1, 1], padding="SAME", name="conv")
            return tf.nn.relu(norm(t, "norm"))

        return sides(x, lambda: block(x), lambda: block(-x), tf.reduce_sum(x) < 1e9)

    conversion = converted(net)
    assert reasons(conversion) == {"cond/conv": "", "cond/conv_1": "never ran during calibration"}
    assert "w" not in {node.name for node in conversion.graph.node}


# -- as the TensorFlow Object Detection API writes it --------------------------------------------


def preprocessed(x):
    """Each image is resized in a loop of its own (preprocessor.py, shape_utils.static_or_dynamic_map_fn)."""
    with old_control_flow():
        return tf.map_fn(lambda one: tf.image.resize(one[None], (8, 8))[0] * (2.0 / 255) - 1, x, name="Preprocessor")


def suppressed(boxes, scores, name="Postprocessor"):
    """The best two boxes of each image (post_processing.py): a loop, with NonMaxSuppression in it."""

    def one(pair):
        chosen = tf.image.non_max_suppression(pair[0], pair[1], 2, 0.5)
        chosen = tf.pad(chosen, [[0, 2 - tf.shape(chosen)[0]]])
        return tf.gather(pair[0], chosen)

    with old_control_flow():
        return tf.map_fn(one, (boxes, scores), dtype=tf.float32, name=name)


def detector(x):
    features = conv_block(conv_block(x, "stem", "relu6", strides=2), "features", "relu6")
    boxes = tf.sigmoid(tf.reshape(bias(conv(features, 4, 1, name="boxes"), "boxes/bias"), (2, 16, 4)))
    scores = tf.sigmoid(tf.reshape(bias(conv(features, 1, 1, name="scores"), "scores/bias"), (2, 16)))
    corners = tf.concat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], 2, name="corners")
    return corners, scores


def test_detection_with_loops_before_and_after():
    def net():
        x = tf.cast(image((2, 12, 10, 4), dtype=tf.uint8), tf.float32)
        corners, scores = detector(preprocessed(x))
        tf.identity(corners, name="corners_out")
        tf.identity(scores, name="scores_out")
        tf.identity(suppressed(corners, scores), name="out")

    graph_def = build(net)
    conversion = convert(graph_def, outputs=["out", "corners_out", "scores_out"])
    told = reasons(conversion)
    assert [told.pop(name) for name in ("stem", "features", "boxes", "scores")] == [""] * 4
    assert set(told) == {"corners"}
    feed = batch(graph_def, seed=4)
    for name in ("corners_out", "scores_out"):
        assert error(conversion, feed, name) < 0.07
    # what is chosen may differ where two scores are near; each box is one of those that were there
    corners, chosen = run(conversion.graph, feed, "corners_out", "out")
    assert chosen.shape == (2, 2, 4)
    assert all((box == corners[number]).all(-1).any() for number in range(2) for box in chosen[number])
    in_loops = {node.op for node in Graph(graph_def).nodes.values() if Graph(graph_def).frame(node.name)}
    assert {"NonMaxSuppressionV3", "ResizeBilinear"} <= in_loops
    assert ops(conversion.graph)["NonMaxSuppressionV3"] == 1


def test_a_feature_extractor_that_runs_once_for_each_image():
    def one(picture):
        x = tf.nn.relu6(norm(conv(picture[None], 8, strides=2, name="stem"), "stem/norm"))
        x = tf.nn.relu6(norm(depthwise(x, name="depthwise"), "depthwise/norm"))
        x = tf.nn.relu(bias(conv(x, 16, kernel=1, name="point"), "point/bias"))
        return bias(dense(tf.reduce_mean(x, [1, 2]), 5, name="logits"), "logits/bias")[0]

    def net(x):
        with old_control_flow():
            return tf.map_fn(one, x, name="map")

    conversion = converted(net)
    assert reasons(conversion) == {"map/while/" + name: "" for name in ("stem", "depthwise", "point", "logits")}


@pytest.mark.usefixtures("everything_pays")
def test_a_second_stage_on_any_number_of_boxes():
    def net():
        x = image((None, 8, 8, 4))
        count = v1.placeholder(tf.int32, (), "count")
        features = conv_block(x, "stem")
        crops = tf.image.crop_and_resize(
            features, tf.tile([[0.1, 0.1, 0.9, 0.9]], [count, 1]), tf.zeros([count], tf.int32), (4, 4)
        )
        y = tf.nn.max_pool2d(conv_block(crops, "second"), 2, 2, "SAME", name="pool")
        y = conv_block(y, "third")
        tf.identity(bias(dense(tf.reduce_mean(y, [1, 2]), 3, name="logits"), "logits/bias"), name="out")

    graph_def = build(net)
    x = batch(graph_def, size=1, seed=2)["input:0"]
    conversion = convert(graph_def, [{"input:0": x, "count:0": count} for count in (3, 1)])
    assert set(reasons(conversion).values()) == {""}
    for count in (1, 2, 7):
        assert error(conversion, {"input:0": x, "count:0": count}) < 0.05


@pytest.mark.usefixtures("everything_pays")
@pytest.mark.parametrize("counts", [(3, 0), (0, 3), (0,)])
def test_what_may_be_empty_stays_fp32(counts):
    """The INT8 kernels for images end the process (SIGABRT in 2.14) on a batch of none."""

    def net():
        count = v1.placeholder(tf.int32, (), "count")
        y = conv_block(image(SHAPE), "stem", filters=4)[:count]
        y = tf.reduce_mean(conv_block(y, "second", filters=4), [1, 2])  # FP32 kernels lose the number of filters here
        tf.identity(bias(dense(y, 3, name="logits"), "logits/bias"), name="out")

    graph_def = build(net)
    feeds = [dict(batch(graph_def, seed=seed), **{"count:0": count}) for seed, count in enumerate(counts)]
    conversion = convert(graph_def, feeds)
    assert reasons(conversion) == {
        "stem": "",
        "second": "its input may be empty, on which TensorFlow's INT8 kernels crash",
        "logits": "" if any(counts) else "had no values during calibration",
    }
    assert run(conversion.graph, dict(feeds[0], **{"count:0": 0}), "out")[0].shape == (0, 3)
    assert error(conversion, dict(feeds[0], **{"count:0": 1})) < 0.1


def test_a_recurrent_net():
    """tf.nn.dynamic_rnn of TensorFlow 1: a matrix product in a loop over time, on input of either sign."""

    def net(x):
        sequence = tf.reshape(x, (2, 8, 32))

        def body(i, state):
            joined = tf.concat([sequence[:, i], state], 1, name="joined")
            hidden = tf.nn.relu(bias(dense(joined, 16, name="signed"), "signed/bias"))
            return i + 1, tf.tanh(bias(dense(hidden, 16, name="unsigned"), "unsigned/bias"))

        with old_control_flow():
            return tf.while_loop(lambda i, s: i < 8, body, [0, tf.zeros((2, 16))], name="rnn")[1]

    conversion = converted(net, tolerance=0.1)
    assert reasons(conversion) == {
        "rnn/joined": "an input is not INT8",
        "rnn/signed": "its input goes below zero and has to be lifted for INT8, which takes longer than INT8 saves: "
        "1 row of 48 values, 16 results; longer sequences pay, or a ReLU in front of it",
        "rnn/unsigned": "",
    }
