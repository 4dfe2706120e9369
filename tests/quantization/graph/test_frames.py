"""The loop that a tensor belongs to, and constants that belong to it, too."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import InvalidGraphError
from intel_quantization.graph.frames import frame_of
from intel_quantization.graph.graph import Graph
from intel_quantization.verify.graph import verify
from tests.quantization.builders import build, image, old_control_flow, random, run

pytestmark = pytest.mark.tensorflow
OUTER, INNER = "outer/while_context", "outer/inner/while_context"


def nested():
    x = tf.nn.relu(image((2,)), name="before")
    factor = tf.constant([2.0, 3.0], name="factor")
    with old_control_flow():

        def inner(t):
            return tf.while_loop(
                lambda i, u: i < 2, lambda i, u: (i + 1, tf.multiply(u, factor, name="deep")), [0, t], name="inner"
            )[1]

        y = tf.while_loop(
            lambda i, t: i < 3, lambda i, t: (i + 1, tf.negative(inner(t), name="shallow")), [0, x], name="outer"
        )[1]
        z = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.nn.relu(y, name="yes"), lambda: tf.negative(y, name="no"))
    tf.identity(z, name="out")


@pytest.fixture
def graph():
    return Graph(build(nested), ["out"])


@pytest.mark.parametrize(
    ("tensor", "frame"),
    [
        ("before", ()),
        ("factor", ()),
        ("outer/shallow", (OUTER,)),
        ("outer/inner/deep:0", (OUTER, INNER)),
        ("^outer/inner/deep", (OUTER, INNER)),
        ("outer/inner/Switch:1", (OUTER, INNER)),
        ("outer/inner/Exit_1", (OUTER,)),
        ("outer/Exit_1", ()),
        ("cond/yes", ()),
        ("out", ()),
    ],
)
def test_frames(graph, tensor, frame):
    assert graph.frame(tensor) == frame


def test_the_order_of_asking_does_not_matter(graph):
    expected = {name: graph.frame(name) for name in graph.nodes}
    for names in (sorted(graph.nodes), sorted(graph.nodes, reverse=True)):
        known = {}
        assert {name: frame_of(graph.nodes, name, known) for name in names} == expected


def test_what_enters_is_inside_from_then_on(graph):
    entered = graph.nodes["outer/inner/deep"].input[1]
    assert graph.producer(entered).op == "Enter"
    assert graph.frame(entered) == (OUTER, INNER)
    assert graph.frame(graph.producer(entered).input[0]) == (OUTER,)


def test_anchors_are_for_loops_only(graph):
    assert graph.anchor("before") is None
    assert graph.anchor("cond/yes") is None
    assert graph.anchor("outer/inner/Switch:1") == "^outer/inner/Switch"


def test_a_constant_beside_a_tensor(graph):
    outside = graph.add_constant("c", np.float32(1), beside="before")
    inside = graph.add_constant("c", np.float32(2), beside="outer/inner/deep")
    assert (list(graph.nodes[outside].input), list(graph.nodes[inside].input)) == ([], ["^outer/inner/deep"])
    assert graph.frame(inside) == (OUTER, INNER)
    given = graph.add_constant("c", np.float32(3), beside="outer/inner/deep", waits=["^outer/inner/Switch"])
    assert list(graph.nodes[given].input) == ["^outer/inner/Switch"]


@pytest.mark.parametrize("place", ["outer/inner/deep", "outer/shallow", "cond/yes", "cond/no", "out"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_graph_with_an_anchored_constant_runs(graph, place, sign):
    """``place`` is doubled, wherever it is."""
    node = graph.nodes[place]
    feed = {"input:0": sign * np.abs(random("x", (2,)))}
    source = graph.add(node.op, place + "/plain", list(node.input), dict(node.attr)).name
    two = graph.add_constant(place + "/two", np.float32(2), beside=source)
    assert run(graph, feed, "out")[0].shape == (2,)
    node.op = "Mul"
    node.attr.clear()
    node.attr["T"].type = tf.float32.as_datatype_enum
    graph.set_inputs(node, [source, two])
    verify(graph, "test")

    x = np.maximum(feed["input:0"], 0)
    for _ in range(3):
        for _ in range(2):
            x = x * [2, 3] * (2 if place == "outer/inner/deep" else 1)
        x = -x * (2 if place == "outer/shallow" else 1)
    taken = "cond/yes" if x.sum() > 0 else "cond/no"
    x = np.maximum(x, 0) if x.sum() > 0 else -x
    np.testing.assert_allclose(run(graph, feed, "out")[0], x * (2 if place in (taken, "out") else 1), rtol=1e-5)


def test_without_an_anchor_verification_and_tensorflow_refuse(graph):
    node = graph.nodes["outer/inner/deep"]
    graph.set_input(node, 1, graph.add_constant("two", np.float32(2)))
    with pytest.raises(InvalidGraphError, match=r"'outer/inner/deep' reads .* in loop .*, but 'two' in no loop"):
        verify(graph, "test")
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match="frame"):
        run(graph, {"input:0": random("x", (2,))}, "out")
