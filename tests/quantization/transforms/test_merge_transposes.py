"""Two Transposes become one or none."""

from __future__ import annotations

import itertools

import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms.merge_transposes import merge_transposes
from tests.quantization.builders import assert_same_numbers, build, check_rewrite, image, ops

pytestmark = pytest.mark.tensorflow

PERMUTATIONS = list(itertools.permutations(range(3)))


def chain(*permutations, last=tf.nn.relu):
    def net():
        x = image((2, 3, 4))
        for permutation in permutations:
            x = tf.transpose(x, permutation)
        last(x, name="out")

    return net


@pytest.mark.parametrize("pair", list(itertools.product(PERMUTATIONS[1:], repeat=2)))
def test_pairs(pair):
    graph = check_rewrite(merge_transposes, chain(*pair), 1)
    identity = tuple(pair[0][axis] for axis in pair[1]) == (0, 1, 2)
    assert ops(graph)["Transpose"] == (0 if identity else 1)


def test_long_chains():
    before = build(chain(*PERMUTATIONS[1:] * 3))
    graph = Graph(before, ["out"])
    merge_transposes(graph)
    assert ops(graph)["Transpose"] <= 1
    assert_same_numbers(before, graph, ["out"])


def test_one_that_changes_nothing():
    assert "Transpose" not in ops(check_rewrite(merge_transposes, chain((0, 1, 2)), 1))
    check_rewrite(merge_transposes, lambda: tf.transpose(image((2, 3, 4)), [0, 1, 2], name="out"), 0)


def test_outputs_and_other_readers():
    def net():
        first = tf.transpose(image((2, 3, 4)), [1, 2, 0], name="first")
        tf.nn.relu(first, name="reader")
        tf.transpose(first, [2, 0, 1], name="out")

    graph = check_rewrite(merge_transposes, net, 1, ("out", "reader", "first"))
    assert list(graph.nodes["out"].input) == ["input"]
    assert graph.nodes["out"].op == "Identity"


def computed():
    x = tf.transpose(image((2, 3, 4)), image((3,), "p", tf.int32))
    tf.transpose(x, [2, 0, 1], name="out")


def between():
    tf.transpose(tf.nn.relu(tf.transpose(image((2, 3, 4)), [2, 0, 1])), [2, 0, 1], name="out")


@pytest.mark.parametrize("net", [computed, between])
def test_refused(net):
    assert merge_transposes(Graph(build(net), ["out"])) == 0
