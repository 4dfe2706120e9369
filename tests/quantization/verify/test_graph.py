"""The verifier finds every kind of broken invariant."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError, InvalidGraphError
from intel_quantization.graph.graph import Graph
from intel_quantization.verify.graph import verify, verify_quantized
from tests.quantization.builders import build, conv_block, convert, image, norm, old_control_flow

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def graph():
    def net():
        tf.concat([conv_block(image(), "c"), norm(image(name="y"), "n")], axis=3, name="out")

    return Graph(build(net), ["out"])


def broken(graph, message):
    with pytest.raises(InvalidGraphError, match="after 'pass'.*" + message) as caught:
        verify(graph, "pass")
    assert "report" in caught.value.remedy


def test_a_sound_graph(graph):
    verify(graph, "pass")
    verify_quantized(graph)


def test_loops_and_branches_are_sound():
    def net():
        x = image((2,))
        with old_control_flow():
            y = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2), [0, x])[1]
            tf.identity(tf.cond(tf.reduce_sum(y) > 0, lambda: y, lambda: -y), name="out")

    verify(Graph(build(net), ["out"]), "pass")


def test_functions_are_sound():
    def net():
        x = image((2,))
        y = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2), [0, x])[1]
        tf.identity(tf.cond(tf.reduce_sum(y) > 0, lambda: y, lambda: -y), name="out")

    verify(Graph(build(net), ["out"]), "pass")


def test_a_missing_output(graph):
    del graph.nodes["out"]
    broken(graph, "output 'out' is gone")


def test_a_missing_input(graph):
    graph.nodes["c/out"].input[0] = "nowhere"
    broken(graph, "'c/out' reads 'nowhere'")


def test_arity(graph):
    graph.set_inputs(graph.nodes["c/bias"], ["c"])
    broken(graph, r"'c/bias' \(BiasAdd\) has 1 inputs, not 2")


def test_variadic_arity(graph):
    graph.set_inputs(graph.nodes["out"], list(graph.nodes["out"].input)[1:])
    broken(graph, "has 2 inputs, not 3")


def test_types(graph):
    graph.nodes["c/out"].attr["T"].type = tf.int32.as_datatype_enum
    broken(graph, "reads 'c/bias', which is DT_FLOAT and not DT_INT32")


def test_data_behind_control(graph):
    node = graph.nodes["c/out"]
    del node.input[:]
    node.input.extend(["^c", "c/bias"])
    broken(graph, "data input behind a control input")


def test_cycles(graph):
    graph.set_input(graph.nodes["c/bias"], 0, "c/out")
    with pytest.raises(BadInputError, match="cycle"):
        verify(graph, "pass")


def looping():
    def net():
        with old_control_flow():
            y = tf.while_loop(
                lambda i, t: i < 3, lambda i, t: (i + 1, tf.nn.relu(t, name="body")), [0, image((2,))], name="while"
            )[1]
        tf.identity(y, name="out")

    return Graph(build(net), ["out"])


def test_a_tensor_from_outside_of_the_loop():
    graph = looping()
    graph.set_input(graph.nodes["while/body"], 0, "input")
    broken(graph, "'while/NextIteration_1'|'while/Merge_1' reads 'while/Enter_1' in loop 'while/while_context'")


def test_waiting_for_what_is_outside_of_the_loop():
    graph = looping()
    node = graph.nodes["while/body"]
    graph.set_inputs(node, [*node.input, "^input"])
    broken(graph, "'while/body' reads '.*' in loop 'while/while_context', but '.input' in no loop")


def test_reading_out_of_a_loop_without_its_exit():
    graph = looping()
    graph.set_inputs(graph.nodes["out"], ["while/Exit_1", "^while/body"])
    broken(graph, "'out' reads 'while/Exit_1' in no loop, but '.while/body' in loop 'while/while_context'")


def test_a_loop_has_one_way_in():
    graph = looping()
    graph.nodes["while/Enter_1"].attr["frame_name"].s = b"other"
    broken(graph, "in loop '(other|while/while_context)'")


def test_a_loop_in_two_loops():
    def net():
        def inner(t):
            return tf.while_loop(lambda i, u: i < 2, lambda i, u: (i + 1, u * 2), [0, t], name="inner")[1]

        with old_control_flow():
            for name in ("first", "second"):
                tf.while_loop(lambda i, t: i < 2, lambda i, t: (i + 1, inner(t)), [0, image((2,))], name=name)

    graph = Graph(build(net))
    verify(graph, "pass")
    for node in graph.nodes.values():
        if node.op == "Enter" and node.attr["frame_name"].s == b"second/inner/while_context":
            node.attr["frame_name"].s = b"first/inner/while_context"
    broken(graph, "loop 'first/inner/while_context' is entered from two places")


def test_an_exit_without_a_loop(graph):
    node = graph.nodes["c/out"]
    node.op = "Exit"
    broken(graph, r"'c/out' \(Exit\) is in no loop")


def test_unknown_ops_are_left_to_tensorflow(graph):
    graph.nodes["c/out"].op = "CustomRelu"
    verify(graph, "pass")


@pytest.mark.parametrize("op", ["Requantize", "RequantizationRange", "RequantizePerChannel"])
def test_requantization_must_be_fused(graph, op):
    graph.add(op, "left")
    with pytest.raises(InvalidGraphError, match=r"'left' .* was not fused"):
        verify_quantized(graph)


def test_one_range_for_each_tensor():
    """The faults themselves: test_verify_ranges.py."""
    graph = Graph(convert(build(lambda: conv_block(image(), "out"))).graph)
    verify_quantized(graph)
    node = next(item for item in graph.nodes.values() if item.op == "Dequantize")
    graph.set_input(node, 2, graph.add_constant("other", np.float32(7)))
    with pytest.raises(InvalidGraphError, match=r"'out/out' .* reads 'out/out/int8' with another range"):
        verify_quantized(graph)
