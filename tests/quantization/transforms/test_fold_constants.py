"""The constant part of a graph becomes constants."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.graph import Graph
from intel_quantization.transforms import fold_constants as module
from intel_quantization.transforms.fold_constants import fold_constants
from intel_quantization.verify.graph import verify
from tests.quantization.builders import (
    assert_same_numbers,
    build,
    check_rewrite,
    image,
    node,
    old_control_flow,
    ops,
    random,
    run,
    v1,
)

pytestmark = pytest.mark.tensorflow


def test_a_chain_becomes_one_constant():
    def net():
        scale = tf.math.rsqrt(tf.constant(np.abs(random("v", (4,))), name="variance") + 0.001) * 3.0
        tf.multiply(image(), scale, name="out")

    graph = check_rewrite(fold_constants, net, 1)
    assert ops(graph) == {"Placeholder": 1, "Const": 1, "Mul": 1}


def test_shapes_and_strings():
    def net():
        x = image((2, 6))
        shape = tf.concat([tf.constant([3]), tf.constant([4])], 0)
        label = tf.strings.join([tf.constant("a"), tf.constant("b")])
        tf.reshape(x, shape, name="out")
        tf.equal(tf.fill([2], label), "ab", name="same")

    graph = check_rewrite(fold_constants, net, 1, ("out",))
    assert graph.constant(graph.nodes["out"].input[1]).tolist() == [3, 4]


def test_several_readers_share_one_constant():
    def net():
        x = image()
        value = tf.constant(1.0) + tf.constant(2.0)
        tf.add(x * value, value, name="out")

    assert ops(check_rewrite(fold_constants, net, 1))["Const"] == 1


def test_nothing_to_fold():
    assert len(check_rewrite(fold_constants, lambda: tf.nn.relu(image(), name="out"), 0)) == 2


@pytest.mark.parametrize(
    "value",
    [
        lambda: v1.random_normal((4,), seed=1),
        lambda: tf.unstack(tf.constant(random("u", (2, 4))))[1],
        lambda: v1.placeholder_with_default(random("p", (4,)), (4,)) * 2,
    ],
)
def test_random_numbers_several_outputs_and_defaults_stay(value):
    graph = Graph(build(lambda: tf.add(image(), value(), name="out")), ["out"])
    assert fold_constants(graph) == 0


def test_outputs_keep_their_op():
    def net():
        tf.add(tf.constant(1.0), tf.constant(2.0), name="sum")
        tf.nn.relu(image(), name="out")

    assert check_rewrite(fold_constants, net, 0, ("out", "sum")).nodes["sum"].op in ("Add", "AddV2")


def test_what_waits_goes_on_waiting():
    def net():
        x = image((4,))
        with tf.control_dependencies([tf.nn.relu(x)]):
            value = tf.constant(1.0) + 2.0
        tf.add(x, value, name="out")

    graph = check_rewrite(fold_constants, net, 1)
    assert list(graph.producer(graph.nodes["out"].input[1]).input) == ["^Relu"]


def test_large_results_stay(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST", 100)

    def net():
        tf.add(image((100,)), tf.tile(tf.constant([1.0]), [100]), name="out")

    check_rewrite(fold_constants, net, 0)


def test_types_that_numpy_lacks():
    def net():
        x = image((2,), dtype=tf.bfloat16)
        tf.cast(x + tf.cast(tf.constant([1.0, 2.0]), tf.bfloat16), tf.float32, name="out")
        y = tf.quantization.quantize(tf.constant([0.5, -0.5]), tf.constant(-1.0), tf.constant(1.0), tf.qint8)
        tf.add(image((2,), "y"), tf.quantization.dequantize(*y), name="other")

    check_rewrite(fold_constants, net, 1, ("out", "other"))


def test_what_cannot_be_computed_stays():
    """It may be in a branch that never runs."""

    def net():
        tf.add(image((4,)), tf.gather(tf.constant([1.0, 2.0]) * 2, [9]), name="out")

    graph = Graph(build(net), ["out"])
    assert fold_constants(graph) == 0
    assert "GatherV2" in ops(graph)


@pytest.mark.parametrize("flag", [True, False])
def test_branches(flag):
    def net():
        x = image((2,))
        choice = v1.placeholder(tf.bool, (), "flag")
        with old_control_flow():
            y = tf.cond(choice, lambda: tf.constant([1.0, 2.0]) * 2.0, lambda: tf.constant([3.0, 4.0]) + 5.0)
        tf.add(x, y, name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert fold_constants(graph) == 2
    verify(graph, "test")
    graph.prune()
    feed = {"input:0": np.zeros(2, np.float32), "flag:0": flag}
    assert run(graph, feed, "out")[0].tolist() == run(before, feed, "out")[0].tolist()


def test_a_loop_with_a_constant_part():
    def net():
        x = image((2,))
        outside = tf.constant(2.0) * 3.0
        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t + outside * (tf.constant(1.0) + 1.0)), [0, x])
        tf.identity(y[1], name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert fold_constants(graph) == 2
    verify(graph, "test")
    feed = {"input:0": np.zeros(2, np.float32)}
    assert run(graph, feed, "out")[0].tolist() == run(before, feed, "out")[0].tolist() == [36, 36]


@pytest.mark.parametrize("waiting", [True, False])
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_product_of_constants_that_enter_a_loop(pieces, waiting):
    """What it is made of stays outside. If it waits for nothing else, then for the smallest part."""

    def net():
        x = image((2,))
        large, small = tf.constant([2.0, 3.0], name="large"), tf.constant([2.0], name="small")

        def body(i, t):
            factor = large * small
            for _ in range(pieces - 1):
                factor = factor * small
            return i + 1, t * factor

        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 2, body, [0, x], name="while")[1]
        tf.identity(y, name="out")

    before = build(net)
    if not waiting:
        item = node(before, "while/mul")
        assert item.input.pop() == "^while/Identity"
    graph = Graph(before, ["out"])
    assert fold_constants(graph) == 1
    verify(graph, "test")
    graph.prune()
    assert ("large" in graph, "small" in graph) == (False, not waiting)
    assert_same_numbers(before, graph.to_graph_def(), ["out"])


@pytest.mark.parametrize("flag", [True, False])
def test_constants_that_a_branch_gets_from_outside(flag):
    def net():
        image((2,))
        choice = v1.placeholder(tf.bool, (), "flag")
        one, two = tf.constant([1.0, 1.0], name="one"), tf.constant([2.0, 2.0], name="two")
        with old_control_flow():
            tf.identity(tf.cond(choice, lambda: tf.identity(one + two), lambda: tf.negative(two - one)), name="out")

    before = build(net)
    graph = Graph(before, ["out"])
    assert fold_constants(graph) == 2
    verify(graph, "test")
    graph.prune()
    assert not {"one", "two", "AddV2", "Sub"} & (set(graph.nodes) | set(ops(graph)))
    assert run(graph, {"flag:0": flag}, "out")[0].tolist() == [3 if flag else -1] * 2


def test_an_alias_in_a_loop_is_no_second_copy():
    def net():
        weights = tf.constant([2.0, 3.0], name="weights")
        with old_control_flow():
            y = tf.while_loop(
                lambda i, t: i < 2, lambda i, t: (i + 1, t * tf.identity(weights)), [0, image((2,))], name="while"
            )[1]
        tf.identity(y, name="out")

    check_rewrite(fold_constants, net, 0)


def test_what_is_to_be_where_another_node_is():
    """As the loops of map_fn write it."""

    def net():
        x = image((2,))
        place = tf.nn.relu(x, name="place")
        with v1.colocate_with(place):
            value = tf.constant(1.0) + 2.0
        tf.add(place, value, name="out")

    graph_def = build(net)
    assert any(item.attr["_class"].list.s == [b"loc:@place"] for item in graph_def.node)
    check_rewrite(fold_constants, net, 1)


# -- what must not be evaluated ------------------------------------------------------------------


def test_files_of_this_machine_do_not_get_into_the_graph(tmp_path):
    """TensorFlow calls these ops stateless."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x07\x09")

    def net():
        x = image((2,))
        content = tf.cast(tf.io.decode_raw(tf.io.read_file(str(secret)), tf.uint8), tf.float32)
        found = tf.cast(tf.size(tf.io.matching_files(str(tmp_path / "*"))), tf.float32)
        tf.add(x * content, found, name="out")

    graph = Graph(build(net), ["out"])
    assert fold_constants(graph) == 0
    assert {"ReadFile", "MatchingFiles"} <= set(ops(graph))


def test_what_takes_several_stages():
    def net():
        x = image((2, 3))
        shape = tf.concat([tf.constant([1]), tf.constant([2])], 0) + tf.constant([1, 1])
        values = tf.cast(tf.reshape(tf.range(tf.reduce_prod(shape)), shape), tf.float32)
        tf.add(x, tf.pad(values, [[0, 0], [0, 0]]) + tf.fill(shape, 3.0), name="out")

    graph = check_rewrite(fold_constants, net, 1)
    assert ops(graph) == {"Placeholder": 1, "Const": 1, "AddV2": 1}


GROWING = {
    "Fill": lambda: tf.fill([2**14, 2**14], 1.0),
    "Tile": lambda: tf.tile(tf.constant([1.0]) * 2.0, [2**28]),
    "BroadcastTo": lambda: tf.broadcast_to(tf.constant([1.0]), [2**14, 2**14]),
    "Range": lambda: tf.range(0.0, 1e9, 1.0),
    "Pad": lambda: tf.pad(tf.constant([1.0]), [[2**28, 0]]),
    "OneHot": lambda: tf.one_hot(tf.zeros([2**14], tf.int32) + 1, 2**14),
    "LinSpace": lambda: tf.raw_ops.LinSpace(start=0.0, stop=1.0, num=2**28),
    "ResizeNearestNeighbor": lambda: v1.image.resize_nearest_neighbor(tf.zeros([1, 1, 1, 1]) + 1.0, [2**14, 2**14]),
    "Mul": lambda: tf.range(0.0, 2.0**15, 1.0)[:, tf.newaxis] * tf.range(0.0, 2.0**15, 1.0),
    "MatMul": lambda: tf.ones([2**15, 1]) @ tf.ones([1, 2**15]),
    "GatherV2": lambda: tf.gather(tf.zeros([4, 2**14]) + 1.0, tf.zeros([2**14], tf.int32) + 1),
    "a chain": lambda: tf.tile(tf.tile(tf.tile(tf.constant([1.0]), [2**10]), [2**10]), [2**10]),
}


@pytest.mark.parametrize("name", list(GROWING))
def test_a_small_graph_with_huge_values(name):
    def net():
        tf.multiply(image((2,)), tf.reduce_sum(GROWING[name]()), name="out")

    graph = Graph(build(net), ["out"])
    fold_constants(graph)
    assert graph.nodes[graph.data_inputs(graph.nodes["out"])[1]].op == "Sum"


def test_the_work_of_all_is_limited(monkeypatch):
    monkeypatch.setattr("intel_quantization.transforms.support.constant_evaluation._MOST_WORK", 1000)

    def net():
        value = tf.constant(random("v", (100,)))
        for _ in range(20):
            value = value * 1.5
        tf.multiply(image((100,)), value, name="out")

    check_rewrite(fold_constants, net, 0)
