"""Running graphs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.graph.session import first_line, open_session, run_graph
from tests.quantization.builders import build, image

pytestmark = pytest.mark.tensorflow


def test_run_graph():
    graph_def = build(lambda: tf.nn.relu(image((2,)), name="out"))
    (value,) = run_graph(graph_def, {"input:0": np.array([-1, 2], np.float32)}, ["out:0"])
    assert value.tolist() == [0, 2]
    assert run_graph(graph_def, {"input:0": np.zeros(2, np.float32)}, []) == []


def test_sessions_do_not_share_a_graph():
    first = build(lambda: tf.constant(1.0, name="x"))
    second = build(lambda: tf.constant(2.0, name="x"))
    with open_session(first, threads=1) as one, open_session(second) as two:
        assert (one.run("x:0"), two.run("x:0")) == (1.0, 2.0)


@pytest.mark.parametrize("damage", ["op", "type", "attr", "cycle"])
def test_a_graph_that_tensorflow_refuses(damage):
    graph_def = build(lambda: tf.nn.relu(image((2,)), name="out"))
    if damage == "op":
        graph_def.node[1].op = "NoSuchOp"
    elif damage == "type":
        graph_def.node[1].attr["T"].type = tf.int32.as_datatype_enum
    elif damage == "attr":
        del graph_def.node[0].attr["dtype"]
    else:
        graph_def.node[1].input[0] = "out"
    with pytest.raises(BadInputError, match=r"cannot import the graph: .*") as caught:
        open_session(graph_def)
    assert "\n" not in caught.value.message


def test_first_line():
    assert first_line(ValueError("\n  one \n two")) == "one"
    assert first_line(ValueError()) == "ValueError"


def test_the_message_behind_tensorflows_own_stack():
    text = (
        "Graph execution error:\n\nDetected at node 'a' defined at\n  File \"x\"\nNode: 'a'\nTable missing.\n\t [[a]]"
    )
    assert first_line(ValueError(text)) == "Table missing."
    assert first_line(ValueError("Graph execution error:\n\nDetected at node 'a'")) == "Detected at node 'a'"
