"""What depends on some nodes, and what they depend on."""

from __future__ import annotations

import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.graph.reach import find_downstream, find_fed, find_upstream
from tests.quantization import builders as b


def graph():
    def net():
        x = tf.add(b.image((1, 4, 4, 3)), 1.0, name="one")
        y = tf.multiply(x, tf.constant(2.0, name="two"), name="both")
        tf.identity(y, "out")
        with tf.control_dependencies([y]):
            tf.constant(3.0, name="waits")
        tf.constant(4.0, name="alone")

    return Graph(b.build(net))


def test_downstream_has_the_nodes_all_readers_and_what_waits():
    assert find_downstream(graph(), ["two"]) == {"two", "both", "out", "waits"}
    assert find_downstream(graph(), []) == set()


def test_upstream_is_the_other_way():
    found = find_upstream(graph(), ["both"])
    assert {"both", "one", "two", "input"} <= found
    assert not found & {"out", "waits", "alone"}


def test_fed_is_what_a_placeholder_reaches():
    found = find_fed(graph())
    assert {"input", "one", "both", "out"} <= found
    assert not found & {"two", "alone"}
