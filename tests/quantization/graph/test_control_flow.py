"""Which nodes belong to a loop or a branch."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.graph.control_flow import control_flow_regions
from intel_quantization.graph.graph import Graph
from tests.quantization.builders import build, image, old_control_flow

pytestmark = pytest.mark.tensorflow


def regions(function):
    with old_control_flow():
        return control_flow_regions(Graph(build(function)))


def test_a_graph_without_control_flow_has_none():
    assert regions(lambda: tf.nn.relu(image(), name="out")) == {}


def test_a_loop_ends_at_its_exit():
    def net():
        x = tf.nn.relu(image(), name="before")
        x = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t, name="body")), [0, x], name="while")[1]
        tf.nn.relu(x, name="after")

    found = regions(net)
    assert found["while/body"] == "inside a while loop"
    assert not {"before", "after", "input"} & set(found)


def test_a_branch_ends_at_its_merge():
    def net():
        x = image()
        wanted = tf.reduce_sum(x, name="sum") > 0
        y = tf.cond(wanted, lambda: tf.nn.relu(x, name="yes"), lambda: tf.nn.relu6(x, name="no"), name="cond")
        tf.nn.relu(y, name="after")

    found = regions(net)
    assert {found[name] for name in ("cond/yes", "cond/no")} == {"inside a conditional branch"}
    assert not {"after", "sum"} & set(found)


def test_a_loop_inside_a_loop_is_inside():
    def inner(t):
        return tf.while_loop(
            lambda i, u: i < 2, lambda i, u: (i + 1, tf.nn.relu(u, name="deep")), [0, t], name="inner"
        )[1]

    def net():
        x = tf.while_loop(
            lambda i, t: i < 2, lambda i, t: (i + 1, tf.identity(inner(t), name="shallow")), [0, image()], name="outer"
        )[1]
        tf.nn.relu(x, name="after")

    found = regions(net)
    assert found["outer/inner/deep"] == found["outer/shallow"] == "inside a while loop"
    assert "after" not in found
