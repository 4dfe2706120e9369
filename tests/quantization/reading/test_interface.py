"""Finding a graph's inputs and outputs."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo, find_inputs, find_outputs
from tests.quantization.builders import build, conv_block, dense, image, node, old_control_flow, v1

pytestmark = pytest.mark.tensorflow


def names(infos):
    return [info.name for info in infos]


def classifier():
    x = image((None, 8, 8, 3), "photo")
    y = tf.reduce_mean(conv_block(x, "c"), [1, 2])
    tf.nn.softmax(dense(y, name="logits"), name="probabilities")


def test_a_classifier():
    graph_def = build(classifier)
    assert find_inputs(graph_def) == (TensorInfo("photo:0", "photo", "float32", (None, 8, 8, 3)),)
    (output,) = find_outputs(graph_def)
    assert (output.name, output.node, output.dtype) == ("probabilities:0", "probabilities", "float32")


def test_named_ones_come_in_the_given_order():
    graph_def = build(classifier)
    assert names(find_outputs(graph_def, ["logits", "c:0"])) == ["logits:0", "c:0"]
    assert names(find_inputs(graph_def, ["c/bias"])) == ["c/bias:0"]


@pytest.mark.parametrize("find", [find_inputs, find_outputs])
def test_an_unknown_name_gives_the_nearest(find):
    with pytest.raises(BadInputError, match="'probabilites' is not in the graph") as caught:
        find(build(classifier), ["probabilites"])
    assert "did you mean 'probabilities'?" in caught.value.remedy
    with pytest.raises(BadInputError) as caught:
        find(build(classifier), ["0123456789"])
    assert "leave the option out" in caught.value.remedy


@pytest.mark.parametrize("name", ["logits:x", "logits:"])
def test_a_malformed_name(name):
    if name.endswith(":"):
        assert names(find_outputs(build(classifier), [name])) == ["logits:0"]
        return
    with pytest.raises(BadInputError, match="not a tensor name"):
        find_outputs(build(classifier), [name])


def test_an_output_that_the_node_does_not_have():
    with pytest.raises(BadInputError, match="'logits' has no output 1"):
        find_outputs(build(classifier), ["logits:1"])


def test_leftovers_are_no_outputs():
    def net():
        x = image()
        tf.constant(1.0, name="unused")
        v1.placeholder_with_default(0.5, (), "rate")
        relu = tf.nn.relu(x, name="out")
        with tf.control_dependencies([relu]):
            tf.no_op("done")
        tf.debugging.Assert(tf.reduce_all(x >= 0), [x])
        tf.add(tf.constant([1.0]), tf.constant([2.0]), name="not_fed")

    assert names(find_outputs(build(net))) == ["out:0"]


def test_several_outputs_and_inputs():
    def net():
        x, y = image(name="x"), image((None,), "y", tf.int32)
        tf.nn.relu(x, name="first")
        tf.split(x, 2, axis=3, name="halves")
        tf.abs(y, name="second")

    graph_def = build(net)
    assert [(info.name, info.dtype) for info in find_inputs(graph_def)] == [("x:0", "float32"), ("y:0", "int32")]
    assert [(info.name, info.dtype) for info in find_outputs(graph_def)] == [
        ("first:0", "float32"),
        ("halves:0", "float32"),
        ("halves:1", "float32"),
        ("second:0", "int32"),
    ]


def test_branch_pivots_are_no_outputs():
    def net():
        x = image((2,))
        flag = v1.placeholder(tf.bool, (), "training")
        with old_control_flow():
            tf.identity(tf.cond(flag, lambda: x * 2, lambda: x + 1), name="out")

    assert names(find_outputs(build(net))) == ["out:0"]


def test_a_while_loop_gives_its_result():
    def net():
        x = image((2,))
        with old_control_flow():
            result = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2), [0, x])[1]
        tf.identity(result, name="out")

    assert names(find_outputs(build(net))) == ["out:0"]


def test_only_inputs_that_outputs_need():
    def net():
        x, rate = image(name="x"), v1.placeholder_with_default(0.5, (), "rate")
        image((None,), "labels", tf.int32)
        tf.multiply(tf.nn.relu(x), rate, name="out")

    graph_def = build(net)
    assert names(find_inputs(graph_def)) == ["x:0", "labels:0"]
    assert names(find_inputs(graph_def, outputs=["out:0"])) == ["x:0"]
    node(graph_def, "x").op = "PlaceholderWithDefault"
    assert names(find_inputs(graph_def, outputs=["out:0"])) == ["x:0", "rate:0"]


def test_a_pipeline_in_place_of_a_placeholder():
    def net():
        x = v1.train.batch([tf.zeros((8, 8, 4))], 2, name="queue")
        tf.identity(conv_block(x, "c"), name="out")

    graph_def = build(net)
    with pytest.raises(BadInputError, match="no Placeholder") as caught:
        find_inputs(graph_def, outputs=["out"])
    assert "maybe 'queue'" in caught.value.remedy
    assert names(find_outputs(graph_def, inputs=["queue"])) == ["out:0"]


def test_without_placeholder_or_output():
    empty = build(lambda: tf.constant(1.0))
    with pytest.raises(BadInputError, match="no Placeholder"):
        find_inputs(empty)
    with pytest.raises(BadInputError, match="looks like an output"):
        find_outputs(empty)


def test_shapes_of_placeholders():
    def net():
        v1.placeholder(tf.uint8, None, "unknown")
        v1.placeholder(tf.float32, (1, None, None, 3), "partly")

    unknown, partly = find_inputs(build(net))
    assert (unknown.dtype, unknown.shape) == ("uint8", None)
    assert partly.shape == (1, None, None, 3)


def test_the_shape_is_found_behind_identities():
    graph_def = build(lambda: tf.identity(image((1, 4, 4, 3)), name="alias"))
    (info,) = find_inputs(graph_def, ["alias"])
    assert (info.name, info.dtype, info.shape) == ("alias:0", "float32", (1, 4, 4, 3))
