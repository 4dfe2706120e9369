"""BatchToSpaceND goes behind what looks at one value at a time."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.delay_batch_to_space import delay_batch_to_space
from intel_quantization.transforms.rule import refusals
from tests.quantization.builders import (
    batch,
    bias,
    build,
    check_rewrite,
    conv_block,
    convert,
    dense,
    depthwise,
    error,
    image,
    norm,
    ops,
    random,
    reasons,
)

pytestmark = pytest.mark.tensorflow


def phases(behind, linear=depthwise, block=(2, 2)):
    """A dilated convolution, and what stands behind it."""
    crops = [[0, 0] for _ in block]

    def net():
        x = tf.space_to_batch(image((2, 8, 8, 4)), [2, 2], [[2, 2], [2, 2]])
        x = linear(x, padding="VALID", name="conv")
        behind(tf.raw_ops.BatchToSpaceND(input=x, block_shape=list(block), crops=crops, name="join"))

    return net


def test_behind_bias_norm_and_activation():
    def behind(x):
        tf.nn.softmax(tf.nn.relu(norm(bias(x, "bias"), "norm"), name="relu"), name="out")

    graph = check_rewrite(delay_batch_to_space, phases(behind), 1)
    (joined,) = [node for node in graph.nodes.values() if node.op == "BatchToSpaceND"]
    assert [reader.name for reader in graph.consumers(joined.name)] == ["out"]
    assert graph.producer(joined.input[0]).op == "Relu"


@pytest.mark.parametrize("operand", [random("channels", (4,)), random("all", (1, 1, 1, 4)), 2.0])
def test_constants_along_the_channels(operand):
    graph = check_rewrite(delay_batch_to_space, phases(lambda x: tf.nn.softmax(x * operand, name="out")), 1)
    assert graph.producer(graph.nodes["out"].input[0]).op == "BatchToSpaceND"


@pytest.mark.parametrize(
    "change",
    [
        lambda x: tf.nn.relu6(x, name="out"),
        lambda x: tf.nn.leaky_relu(x, 0.3, name="out"),
        lambda x: tf.nn.elu(x, name="out"),
        lambda x: tf.sigmoid(x, name="out"),
        lambda x: tf.tanh(x, name="out"),
        lambda x: tf.subtract(random("channels", (4,)), x, name="out"),
        lambda x: tf.add(x, 1.0, name="out"),
        lambda x: tf.minimum(x, 0.5, name="out"),
        lambda x: tf.maximum(random("channels", (4,)), x, name="out"),
        lambda x: norm(x, "out", op="FusedBatchNorm"),
    ],
)
def test_each_that_looks_at_one_value(change):
    """An output keeps its name and its value."""
    graph = check_rewrite(delay_batch_to_space, phases(change), 1)
    assert graph.producer(graph.nodes["out"].input[0]).op == "BatchToSpaceND"
    assert graph.nodes["out"].op == "Identity"


def test_outputs_on_the_way_keep_their_values():
    def behind(x):
        tf.nn.softmax(tf.nn.relu(bias(x, "bias"), name="relu"), name="out")

    graph = check_rewrite(delay_batch_to_space, phases(behind), 1, ("out", "bias"))
    assert graph.producer(graph.nodes["relu"].input[0]).name == "bias"
    assert ops(graph)["BatchToSpaceND"] == 1


def test_as_far_as_it_goes():
    """What stands behind the first that needs the whole image stays there."""

    def behind(x):
        x = tf.nn.relu(bias(x, "bias")) * random("map", (8, 8, 4))
        tf.nn.relu(x, name="out")

    graph = check_rewrite(delay_batch_to_space, phases(behind), 1)
    joined = next(item.name for item in graph.nodes.values() if item.op == "BatchToSpaceND")
    assert [reader.op for reader in graph.consumers(joined)] == ["Mul"]


def test_blocks_of_one_axis():
    def linear(x, padding, name):
        return bias(depthwise(x, padding=padding, name=name), name + "/first")

    graph = check_rewrite(delay_batch_to_space, phases(lambda x: tf.nn.relu(bias(x), name="out"), linear, (4,)), 1)
    assert graph.nodes["out"].op == "Identity"


def dilated(x):
    """A depthwise convolution as TensorFlow itself dilates it."""
    weights = tf.constant(random("dilated", (3, 3, 8, 1), 0.3))
    x = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]], name="split")
    x = tf.compat.v1.nn.depthwise_conv2d_native(x, weights, [1, 1, 1, 1], "VALID", name="dilated")
    return tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]], name="join")


def test_a_dilated_depthwise_block_is_int8():
    def net():
        x = dilated(conv_block(image(), "first"))
        x = tf.nn.relu(norm(bias(x, "bias"), "norm"), name="relu")
        tf.identity(conv_block(x, "last", kernel=1), name="out")

    graph_def = build(net)
    conversion = convert(graph_def, [batch(graph_def, 8, seed=1)], outputs=["out"])
    assert not any(reasons(conversion).values())
    found = ops(conversion.graph)
    assert found["QuantizeV2"] == found["Dequantize"] == 1
    for op in ("SpaceToBatchND", "BatchToSpaceND"):
        (moved,) = [item for item in conversion.graph.node if item.op == op]
        assert moved.attr["T"].type == tf.uint8.as_datatype_enum
    assert error(conversion, batch(graph_def, 8, seed=1)) < 0.03


def told(behind, outputs=("out",), linear=depthwise, block=(2, 2)):
    graph = Graph(build(phases(behind, linear, block)), outputs)
    before = graph.to_graph_def()
    assert delay_batch_to_space(graph) == 0
    assert graph.to_graph_def() == before
    return refusals(graph, [delay_batch_to_space])


def test_reasons():
    shared = "'join' is also read elsewhere, or waits for other nodes"
    assert told(lambda x: tf.add(tf.nn.relu(x), tf.nn.elu(x), name="out")) == {"join": shared}
    reason = "the other operand of 'out' differs along more than the channels"
    assert told(lambda x: tf.multiply(x, random("map", (8, 1)), name="out")) == {"out": reason}
    reason = "the other operand of 'out' is not constant"
    assert told(lambda x: tf.multiply(x, image((4,), "y"), name="out")) == {"out": reason}
    training = lambda x: tf.nn.elu(norm(x, "norm", training=True), name="out")  # noqa: E731
    assert told(training) == {"norm": "'norm' does not norm each channel by itself"}


def relu(x):
    return tf.nn.relu(x, name="out")


def test_what_waits_for_others():
    def behind(x):
        with tf.control_dependencies([image(name="first")]):
            relu(x)

    assert told(behind) == {"out": "'out' waits for other nodes"}
    graph_def = build(phases(relu))
    for name, reason in (("join", "'join' is also read elsewhere, or waits for other nodes"), ("out", "")):
        changed = Graph(graph_def, ["out"])
        changed.set_inputs(changed.nodes[name], [*changed.nodes[name].input, "^input"])
        assert delay_batch_to_space(changed) == 0
        found = refusals(changed, [delay_batch_to_space])
        assert found == {name: reason or "'out' waits for other nodes"}


def test_computed_crops():
    graph = Graph(build(phases(relu)), ["out"])
    graph.add("Placeholder", "crops", (), dict(graph.nodes["input"].attr.items()))
    graph.nodes["crops"].attr["dtype"].type = tf.int32.as_datatype_enum
    graph.set_input(graph.nodes["join"], 2, "crops")
    assert delay_batch_to_space(graph) == 0
    assert refusals(graph, [delay_batch_to_space]) == {"join": "the block or the crops of 'join' are not constant"}


def test_what_is_read_elsewhere():
    shared = {"join": "'join' is also read elsewhere, or waits for other nodes"}
    assert told(relu, ("out", "join")) == shared
    assert told(lambda x: tf.multiply(x, x, name="out")) == shared


def test_bias_of_the_second_axis():
    behind = lambda x: tf.nn.bias_add(x, random("rows", (8,)), data_format="NCHW", name="out")  # noqa: E731
    assert told(behind) == {"out": "'out' is not NHWC"}


@pytest.mark.parametrize("outputs", [("out", "norm:1"), ("out", "mean")])
def test_other_results_of_a_norm(outputs):
    def behind(x):
        y = norm(x, "norm")
        tf.nn.softmax(y, name="out")
        if "mean" in outputs:
            tf.identity(y.op.outputs[1], name="mean")

    assert told(behind, outputs) == {"norm": "'norm' gives more than the normed values"}


def test_blocks_of_channels():
    """Another channel has another bias."""

    def behind(x):
        tf.nn.relu(bias(x, "bias"), name="out")

    assert told(behind, block=(2, 2, 1)) == {"join": "'join' moves channels"}
    assert told(behind, block=(1, 2, 2)) == {"join": "'join' moves channels"}

    def matrix():
        x = tf.raw_ops.BatchToSpaceND(input=dense(image((4, 6))), block_shape=[2], crops=[[0, 0]], name="join")
        tf.nn.relu(bias(x, "bias"), name="out")

    graph = Graph(build(matrix), ["out"])
    assert delay_batch_to_space(graph) == 0
    assert refusals(graph, [delay_batch_to_space]) == {}


def test_no_concern():
    assert told(lambda x: tf.nn.softmax(x, name="out")) == {}
    assert told(lambda x: tf.nn.relu(x, name="out"), linear=lambda x, padding, name: tf.abs(x)) == {}
