"""The choice, from a whole graph and some pictures without labels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.choosing.preprocess_choice import TURNS, Candidate, choose_by_trying
from intel_quantization.data import preprocess
from intel_quantization.data.class_scores import Labelling
from intel_quantization.data.feeds import layout_of
from intel_quantization.reading.interface import find_inputs
from tests.quantization.choosing.remembering import SIZE, Feed, network, pictures

tf1 = tf.compat.v1


def choose(graph_def, output="result:0", count=16, seed=0, labels=None, channels=3, order=None):
    (tensor,) = find_inputs(graph_def)
    pixels = pictures(count, seed, channels)
    return choose_by_trying(
        Candidate(graph_def, [output], [tensor], 1),
        lambda tried, turn: Feed(graph_def, tried, pixels[turn::TURNS], labels),
        layout_of(tensor),
        Labelling(numbered=labels is not None),
        order,
    )


@pytest.mark.parametrize("form", ["fused", "pieces"])
@pytest.mark.parametrize("head", ["landmarks", "segmentation", "classes"])
@pytest.mark.parametrize("mode", ["tf", "torch", "unit", "none"])
def test_batch_norms_remember_what_they_saw(mode, head, form):
    graph_def, output = network(mode, head, form=form)
    choice = choose(graph_def, output)
    assert (choice.mode, choice.certain) == (mode, True), choice.message
    assert "\n" not in choice.message


@pytest.mark.parametrize("mode", ["caffe", "vgg"])
def test_means_are_told_from_raw_pixels_and_from_units(mode):
    graph_def, output = network(mode, "landmarks")
    choice = choose(graph_def, output)
    assert choice.mode == mode or not choice.certain, choice.message
    assert choice.mode in ("caffe", "vgg")


@pytest.mark.parametrize("count", [4, 8])
@pytest.mark.parametrize("mode", ["tf", "unit"])
def test_a_few_pictures_are_enough_for_batch_norms(mode, count):
    graph_def, output = network(mode, "landmarks", seed=count)
    choice = choose(graph_def, output, count, seed=count)
    assert (choice.mode, choice.certain) == (mode, True), choice.message


@pytest.mark.parametrize("mode", ["tf", "torch", "unit", "none", "caffe"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_folded_batch_norms_never_make_it_surely_wrong(mode, seed):
    graph_def, output = network(mode, "landmarks", form="folded", seed=seed)
    choice = choose(graph_def, output)
    assert choice.mode == mode or not choice.certain, choice.message
    if not choice.certain:
        assert f"--preprocess {choice.mode}" in choice.message


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_unit_is_told_where_batch_norms_are_folded(seed):
    graph_def, output = network("unit", "landmarks", form="folded", seed=seed)
    assert choose(graph_def, output).mode == "unit"


def test_gray_pictures():
    graph_def, output = network("unit", "landmarks", channels=1)
    choice = choose(graph_def, output, channels=1)
    assert (choice.mode, choice.certain) == ("unit", True), choice.message


def test_the_order_of_channels_may_be_settled():
    graph_def, output = network("vgg", "landmarks")
    choice = choose(graph_def, output, order="rgb")
    assert (choice.mode, choice.certain) == ("vgg", True), choice.message


@pytest.mark.parametrize("mode", ["tf", "unit"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_the_order_of_channels_is_remembered_too(mode, order):
    graph_def, output = network(preprocess.Preprocessing(mode, order), "landmarks")
    choice = choose(graph_def, output, count=32)
    assert (choice.mode, choice.certain) == (mode, True), choice.message
    assert choice.order in (None, order), choice.message
    assert ("bgr" in choice.message) == (choice.order == "bgr")


def test_a_preprocessing_that_is_not_known_is_not_sure():
    """Trained on 0..40: no known mode gives that."""
    graph_def, output = network("none", "landmarks")
    scaled = np.float32(40 / 255)
    for node in graph_def.node:
        if node.op == "Conv2D" and node.name == "conv0":
            constant = next(each for each in graph_def.node if each.name == node.input[1])
            value = tf.make_ndarray(constant.attr["value"].tensor) / scaled
            constant.attr["value"].tensor.CopyFrom(tf1.make_tensor_proto(value))
    choice = choose(graph_def, output)
    assert not choice.certain
    assert "--mean and --std" in choice.message or "may be as right" in choice.message


def test_nothing_to_judge_by_says_so():
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="images")
        tf.reduce_mean(x, [1, 2], name="result")
    choice = choose(graph.as_graph_def())
    assert (choice.mode, choice.certain) == ("tf", False)
    assert "--preprocess tf" in choice.message
    assert "nothing" in choice.message


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_pixels_as_they_are_need_no_choice(dtype):
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(dtype, [None, SIZE, SIZE, 3], name="images")
        tf.reduce_mean(tf.cast(x, tf.float32), [1, 2], name="result")
    choice = choose(graph.as_graph_def())
    assert (choice.mode, choice.certain) == ("none", True)
    assert dtype in choice.message


def test_a_graph_that_normalises_is_fed_raw_pixels():
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="images")
        y = tf.image.resize(x, [12, 12]) * np.float32(2 / 255) - 1.0
        kernel = tf.constant(np.random.RandomState(0).normal(0, 1, (3, 3, 3, 8)).astype(np.float32))
        tf.reduce_mean(tf1.nn.conv2d(y, kernel, [1, 1, 1, 1], "SAME"), [1, 2], name="result")
    choice = choose(graph.as_graph_def())
    assert (choice.mode, choice.certain) == ("none", True), choice.message
    assert "normalises" in choice.message
