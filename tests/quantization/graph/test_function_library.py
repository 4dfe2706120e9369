"""Functions that call themselves, or that are far too many when they are written out, are refused."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, types_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import function_library as module
from intel_quantization.graph.function_library import check_library, reached
from intel_quantization.reading.load import load_graph
from tests.quantization.builders import build, image

pytestmark = pytest.mark.tensorflow


def chain(*calls):
    """A graph whose function f0 calls f1 so many times one after the other, and f1 f2 …; the last only doubles."""
    graph_def = build(lambda: image((2,)))
    for number in range(len(calls) + 1):
        function = graph_def.library.function.add()
        function.signature.name = "f%d" % number
        function.signature.input_arg.add(name="x", type=types_pb2.DT_FLOAT)
        function.signature.output_arg.add(name="y", type=types_pb2.DT_FLOAT)
        last = "x"
        for count in range(calls[number] if number < len(calls) else 1):
            node = function.node_def.add(name="n%d" % count, input=[last])
            last = "n%d:output:0" % count
            if number < len(calls):
                _call(node, "f%d" % (number + 1))
            else:
                node.op = "Relu"
                node.attr["T"].type = types_pb2.DT_FLOAT
                last = "n%d:activations:0" % count
        function.ret["y"] = last
    _call(graph_def.node.add(name="out", input=["input"]), "f0")
    graph_def.versions.producer = 1000
    return graph_def


def _call(node, name):
    node.op = "PartitionedCall"
    node.attr["f"].func.name = name
    for key in ("Tin", "Tout"):
        node.attr[key].list.type.append(types_pb2.DT_FLOAT)


def test_some_calls_are_no_obstacle():
    graph_def = chain(3, 2)
    assert load_graph(graph_def).outputs[0].node == "out"
    assert sorted(reached(graph_def.node, graph_def.library)) == ["f0", "f1", "f2"]


@pytest.mark.parametrize("target", ["f0", "f1", "f2"])
def test_a_function_that_calls_itself(target):
    """TensorFlow overflows its stack."""
    graph_def = chain(1, 1)
    function = graph_def.library.function[2]
    _call(function.node_def[0], target)
    function.ret["y"] = "n0:output:0"
    with pytest.raises(BadInputError, match=r"the function 'f\d' of the graph calls itself") as caught:
        load_graph(graph_def)
    assert "while loop" in caught.value.remedy


def test_a_billion_laughs():
    with pytest.raises(BadInputError, match=r"over 500000 nodes when its function calls are written out"):
        load_graph(chain(*[10] * 9))


def test_many_calls_of_one_function(monkeypatch):
    monkeypatch.setattr(module, "_MOST_NODES", 100)
    graph_def = chain(9)
    for number in range(9):
        _call(graph_def.node.add(name="more%d" % number, input=["input"]), "f0")
    with pytest.raises(BadInputError, match="over 100 nodes"):
        check_library(graph_def.library, graph_def.node, "the graph")


def test_a_deep_library_needs_no_stack():
    check_library(chain(*[1] * 5000).library, graph_pb2.GraphDef().node, "the graph")


def test_two_functions_of_one_name():
    graph_def = chain(1)
    graph_def.library.function.add().CopyFrom(graph_def.library.function[0])
    with pytest.raises(BadInputError, match="two functions named 'f0'"):
        load_graph(graph_def)


def test_functions_that_tensorflow_wrote():
    @tf.function
    def inner(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: x * 2.0)

    load_graph(build(lambda: tf.identity(inner(inner(image((2,)))), name="out")))
