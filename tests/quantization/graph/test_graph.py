"""The indexed graph: its index after every kind of edit, and what it refuses."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.graph.attributes import DT_QINT8, dtype_attr
from intel_quantization.graph.graph import Graph, GraphDef
from tests.quantization.builders import build, image, old_control_flow, ops, run, v1

pytestmark = pytest.mark.tensorflow


def graph_of(*nodes, outputs=()):
    """A Graph from (name, op, inputs …) tuples; nodes are not checked against TensorFlow's ops."""
    graph_def = GraphDef()
    for name, op, *inputs in nodes:
        graph_def.node.add(name=name, op=op, input=inputs)
    return Graph(graph_def, outputs)


def check_index(graph):
    """The index is that of a Graph built anew from the nodes."""
    fresh = {name: {} for name in graph.nodes}
    for node in graph.nodes.values():
        for tensor in node.input:
            source = tensor[1:] if tensor.startswith("^") else tensor.split(":")[0]
            fresh[source][node.name] = fresh[source].get(node.name, 0) + 1
    for name, edges in fresh.items():
        assert {item.name for item in graph.consumers(name)} == set(edges)
        assert graph.is_private(name) == (sum(edges.values()) == 1 and not graph.is_output(name))


@pytest.fixture
def split():
    """a -> split (two outputs) -> b, c; d waits for b and reads split:1 twice."""
    return graph_of(
        ("a", "Placeholder"),
        ("split", "Split", "a"),
        ("b", "Identity", "split"),
        ("c", "Relu", "b:0"),
        ("d", "Add", "split:1", "split:1", "^b"),
        outputs=["c:0", "d"],
    )


def test_reading(split):
    assert "a" in split
    assert "z" not in split
    assert len(split) == 5
    assert split.producer("split:1").name == "split"
    assert split.data_inputs(split.nodes["c"]) == ["b"]
    assert split.data_inputs(split.nodes["d"]) == ["split:1", "split:1"]
    assert split.control_inputs(split.nodes["d"]) == ["^b"]
    assert [node.name for node in split.consumers("b")] == ["c", "d"]
    assert [(node.name, index) for node, index in split.readers("split:1")] == [("d", 0), ("d", 1)]
    assert [(node.name, index) for node, index in split.readers("split:0")] == [("b", 0)]
    assert split.outputs == ("c", "d")
    assert split.is_output("c")
    assert not split.is_output("b")
    with pytest.raises(KeyError):
        split.producer("z")
    check_index(split)


def test_private_means_one_edge_of_any_kind(split):
    assert split.is_private("a")
    assert not split.is_private("split")
    assert not split.is_private("b")
    assert not split.is_private("c")


def test_the_callers_graph_is_not_changed():
    graph_def = build(lambda: tf.nn.relu(image(), name="out"))
    before = graph_def.SerializeToString(deterministic=True)
    graph = Graph(graph_def, ["out"])
    graph.nodes["out"].op = "Relu6"
    graph.add_constant("c", np.zeros(3, np.float32))
    assert graph_def.SerializeToString(deterministic=True) == before


def test_duplicate_names_are_refused():
    with pytest.raises(BadInputError, match="two nodes named 'a'"):
        graph_of(("a", "Placeholder"), ("a", "Placeholder"))


@pytest.mark.parametrize("tensor", ["z", "z:1", "^z"])
def test_dangling_inputs_are_refused(tensor):
    with pytest.raises(BadInputError, match="'b' has the input"):
        graph_of(("a", "Placeholder"), ("b", "Relu", tensor))


@pytest.mark.parametrize("tensor", ["a:", "a:x", "a:-1", "a:out:0"])
def test_malformed_inputs_are_refused(tensor):
    with pytest.raises(BadInputError, match="'b' has the input"):
        graph_of(("a", "Placeholder"), ("b", "Relu", tensor))


def test_a_data_input_behind_a_control_input_is_refused():
    with pytest.raises(BadInputError, match="'b' has the input"):
        graph_of(("a", "Placeholder"), ("b", "Relu", "^a", "a"))


def test_constants_are_found_behind_identities():
    def net():
        value = tf.constant(np.arange(3, dtype=np.float32), name="value")
        tf.identity(tf.identity(value, name="one"), name="two")
        tf.nn.relu(value, name="computed")

    graph = Graph(build(net))
    np.testing.assert_array_equal(graph.constant("two:0"), [0, 1, 2])
    assert graph.constant("two") is graph.constant("value")
    assert graph.constant("computed") is None
    assert graph.constant("nowhere") is None


def test_topological_order_is_a_function_of_the_graph():
    nodes = [("n%02d" % number, "AddN") + tuple("n%02d" % (number // k) for k in (2, 3)) for number in range(1, 40)]
    nodes.insert(0, ("n00", "Placeholder"))
    orders = []
    for seed in range(3):
        shuffled = list(nodes)
        random.Random(seed).shuffle(shuffled)
        order = [node.name for node in graph_of(*shuffled).topological()]
        place = {name: number for number, name in enumerate(order)}
        for name, _, *inputs in nodes:
            assert all(place[source] < place[name] for source in inputs)
        orders.append([node.name for node in graph_of(*nodes).topological()])
    assert orders[0] == orders[1] == orders[2]


def test_a_cycle_is_named():
    graph = graph_of(("a", "Placeholder"), ("b", "Add", "a", "c"), ("c", "Relu", "b"))
    with pytest.raises(BadInputError, match=r"cycle through node '[bc]'"):
        graph.topological()


def test_a_while_loop_is_no_cycle():
    graph = Graph(build(loop), ["out"])
    order = [node.op for node in graph.topological()]
    assert len(order) == len(graph)
    assert "NextIteration" in order


def loop():
    with old_control_flow():
        x = image((2,))
        total = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2), [0, x], name="while")[1]
    tf.identity(total, name="out")


def test_prune_keeps_whole_loops():
    graph_def = build(loop)
    graph = Graph(graph_def, ["out"])
    graph.prune()
    check_index(graph)
    feed = {"input:0": np.array([1, 2], np.float32)}
    np.testing.assert_array_equal(run(graph, feed, "out")[0], [8, 16])


def test_prune(split):
    split.add("Relu", "dead", ["c"])
    split.add("Relu", "deader", ["dead", "^b"])
    assert split.prune() == 2
    assert split.prune() == 0
    check_index(split)
    assert set(split.nodes) == {"a", "split", "b", "c", "d"}


def test_prune_without_outputs_does_nothing():
    graph = graph_of(("a", "Placeholder"), ("b", "Relu", "a"))
    assert graph.prune() == 0
    assert len(graph) == 2


def test_names_are_made_unique(split):
    assert split.unique_name("new") == "new"
    assert split.unique_name("a") == "a_1"
    split.add("Relu", "a_1", ["a:0"])
    assert split.unique_name("a") == "a_2"
    assert list(split.nodes["a_1"].input) == ["a"]
    with pytest.raises(ValueError, match="exists"):
        split.add("Relu", "a")
    check_index(split)


def test_add_sets_attributes_and_device(split):
    node = split.add(
        "Op", "e", ["a", "^b"], {"f": 1.5, "i": 2, "b": True, "s": "x", "l": [1, 2], "T": dtype_attr(DT_QINT8)}, "/cpu"
    )
    assert (node.attr["f"].f, node.attr["i"].i, node.attr["b"].b, node.attr["s"].s) == (1.5, 2, True, b"x")
    assert list(node.attr["l"].list.i) == [1, 2]
    assert node.attr["T"].type == DT_QINT8
    assert node.device == "/cpu"


def test_constants_are_added_with_their_type():
    graph = Graph(GraphDef())
    first = graph.add_constant("c", np.array([1, -2], np.int8), DT_QINT8)
    second = graph.add_constant("c", np.float32(3))
    assert (first, second) == ("c", "c_1")
    assert graph.nodes["c"].attr["dtype"].type == DT_QINT8
    assert graph.constant("c_1").shape == ()
    raw = run(graph, {}, "c")[0]
    np.testing.assert_array_equal(raw.view(np.int8), [1, -2])


def test_set_input_and_redirect(split):
    split.set_input(split.nodes["c"], 0, "split:1")
    assert list(split.nodes["c"].input) == ["split:1"]
    check_index(split)
    split.add("Relu", "e", ["split:1"])
    split.redirect("split:1", "e:0")
    assert list(split.nodes["c"].input) == ["e"]
    assert list(split.nodes["d"].input) == ["e", "e", "^b"]
    assert list(split.nodes["e"].input) == ["split:1"]
    check_index(split)


def test_rename(split):
    split.rename("b", "b2")
    split.rename("split", "s")
    assert split.data_inputs(split.nodes["c"]) == ["b2"]
    assert list(split.nodes["d"].input) == ["s:1", "s:1", "^b2"]
    assert list(split.nodes["b2"].input) == ["s"]
    check_index(split)
    for old, new in (("a", "b2"), ("c", "free")):
        with pytest.raises(ValueError, match="cannot rename"):
            split.rename(old, new)


def test_rename_of_a_name_that_is_part_of_another():
    graph = graph_of(("a", "Placeholder"), ("aa", "Relu", "a"), ("aaa", "Add", "aa", "a", "^aa"))
    graph.rename("a", "b")
    assert list(graph.nodes["aaa"].input) == ["aa", "b", "^aa"]
    check_index(graph)


def test_remove(split):
    with pytest.raises(ValueError, match="still in use"):
        split.remove("b")
    with pytest.raises(ValueError, match="still in use"):
        split.remove("d")
    split.add("Relu", "e", ["b", "^a"])
    split.remove("e")
    check_index(split)


def test_sweep_takes_what_nothing_reads(split):
    split.add("Relu", "e", ["b", "^a"])
    split.add("Add", "f", ["e", "e", "^d"])
    split.sweep(["a", "c", "f", "nowhere", "f"])
    assert set(split.nodes) == {"a", "split", "b", "c", "d"}
    check_index(split)


def test_bypass_moves_data_and_control_edges(split):
    split.bypass("b")
    assert list(split.nodes["c"].input) == ["split"]
    assert list(split.nodes["d"].input) == ["split:1", "split:1", "^split"]
    check_index(split)


def test_bypass_hands_on_what_the_node_waited_for():
    graph = graph_of(
        ("a", "Placeholder"),
        ("w", "NoOp"),
        ("b", "Identity", "a", "^w"),
        ("c", "Relu", "b", "^w"),
        ("d", "Add", "b", "b"),
    )
    graph.bypass("b")
    assert list(graph.nodes["c"].input) == ["a", "^w"]
    assert list(graph.nodes["d"].input) == ["a", "a", "^w"]
    check_index(graph)


def test_bypass_keeps_what_the_readers_wait_for_and_the_order_of_their_inputs():
    graph = graph_of(
        ("a", "Placeholder"),
        ("b", "Identity", "a"),
        ("c", "AddN", "a", "b:0", "a", "b", "^a"),
        ("d", "AddN", "b", "a", "^b"),
    )
    graph.bypass("b")
    assert list(graph.nodes["c"].input) == ["a", "a", "a", "a", "^a"]
    assert list(graph.nodes["d"].input) == ["a", "a", "^a"]
    check_index(graph)


def test_bypass_refuses_outputs():
    graph = graph_of(("a", "Placeholder"), ("b", "Identity", "a"), outputs=["b"])
    with pytest.raises(ValueError, match="is an output"):
        graph.bypass("b")


def test_a_refused_bypass_leaves_the_graph_as_it_was():
    graph = graph_of(("a", "Placeholder"), ("b", "Pair", "a"), ("c", "Relu", "b"), ("d", "Relu", "b:1"))
    before = graph.to_graph_def()
    with pytest.raises(ValueError, match="more than one output"):
        graph.bypass("b")
    assert graph.to_graph_def() == before


def test_versions_and_functions_survive():
    graph_def = build(lambda: tf.nn.relu(image(), name="out"))
    graph_def.library.function.add().signature.name = "f"
    result = Graph(graph_def).to_graph_def()
    assert result.versions == graph_def.versions
    assert result.library == graph_def.library


def test_colocation_with_a_node_that_went_is_dropped():
    def net():
        x = image((2,))
        kept = tf.identity(x, name="kept")
        with v1.colocate_with(tf.identity(x, name="gone").op), v1.colocate_with(kept.op, ignore_existing=False):
            tf.nn.relu(kept, name="out")

    graph_def = build(net)
    assert b"loc:@gone" in graph_def.SerializeToString()
    graph = Graph(graph_def, ["out"])
    graph.prune()
    assert run(graph, {"input:0": np.ones(2, np.float32)}, "out")[0].tolist() == [1, 1]
    assert list(graph.to_graph_def().node[-1].attr["_class"].list.s) == [b"loc:@kept"]


def test_random_edits_keep_the_index():
    generator = random.Random(7)
    graph = graph_of(("n0", "Placeholder"), outputs=["n0"])
    for number in range(1, 300):
        names = list(graph.nodes)
        chosen = generator.choice(names)
        action = generator.random()
        if action < 0.55 or len(names) < 5:
            inputs = [generator.choice(names) for _ in range(generator.randint(1, 3))]
            graph.add("AddN", "n%d" % number, inputs + ["^" + generator.choice(names)])
        elif action < 0.7 and graph.nodes[chosen].input and not graph.is_output(chosen):
            graph.bypass(chosen)
        elif action < 0.85 and not graph.is_output(chosen):
            graph.rename(chosen, graph.unique_name("m%d" % number))
        elif not graph.consumers(chosen) and not graph.is_output(chosen):
            graph.remove(chosen)
        check_index(graph)
    assert ops(graph)["AddN"] > 20
