"""Damaged graphs that still parse are errors that name the file and the node."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import io
from intel_quantization.graph.io import write_graph
from intel_quantization.reading import well_formed
from intel_quantization.reading.load import load_graph
from tests.quantization.builders import build, conv_block, convert, image, node, v1

pytestmark = pytest.mark.tensorflow


def net():
    tf.nn.max_pool2d(conv_block(image(), "c"), 2, 2, "SAME", name="out")


def value(graph_def):
    return node(graph_def, "c/weights").attr["value"].tensor


def drop(graph_def, name, key):
    del node(graph_def, name).attr[key]


def change(name, key, **fields):
    def edit(graph_def):
        attr = node(graph_def, name).attr[key]
        for field, given in fields.items():
            setattr(attr, field, given)

    return edit


def shorter(graph_def):
    value(graph_def).tensor_content = value(graph_def).tensor_content[:-4]


def too_many(graph_def):
    value(graph_def).tensor_content = b""
    value(graph_def).float_val.extend([0.0] * 999)


def twice(graph_def):
    graph_def.node.add().CopyFrom(graph_def.node[0])


def short_list(graph_def):
    del node(graph_def, "c").attr["strides"].list.i[2:]


def no_text(graph_def):
    node(graph_def, "c").attr["_class"].list.s.append(b"\xff\xfe")


def unknown_shape(graph_def):
    value(graph_def).tensor_shape.unknown_rank = True


def negative(graph_def):
    value(graph_def).tensor_shape.dim[0].size = -3


def placeholder(size):
    def edit(graph_def):
        dims = node(graph_def, "input").attr["shape"].shape.dim
        for dim in dims:
            dim.size = size

    return edit


CASES = {
    "no dtype": (lambda g: drop(g, "c/weights", "dtype"), "(Const) has no attribute 'dtype'"),
    "no value": (lambda g: drop(g, "c/weights", "value"), "(Const) has no attribute 'value'"),
    "other dtype": (change("c/weights", "dtype", type=3), "is said to be DT_INT32, its value is DT_FLOAT"),
    "unknown dtype": (change("c/weights", "dtype", type=9999), "attribute 'dtype' of an unknown type"),
    "unknown type": (change("c", "T", type=77), "node 'c' (Conv2D) has the attribute 'T' of an unknown type"),
    "wrong type": (change("c", "T", type=types_pb2.DT_STRING), "attribute 'T' of an unknown type"),
    "wrong kind": (change("c", "strides", i=3), "has no proper attribute 'strides'"),
    "padding": (change("c", "padding", s=b"SOME"), "has the unknown padding b'SOME'"),
    "shorter": (shorter, "has a value of 1148 bytes, which is no DT_FLOAT of shape [3x3x4x8]"),
    "too many": (too_many, "has 999 values for a shape of 288"),
    "unknown shape": (unknown_shape, "a value of unknown shape"),
    "negative": (negative, "a value of unknown shape"),
    "twice": (twice, "has two nodes named 'input'"),
    "short list": (short_list, "'strides' with 2 numbers"),
    "no text": (no_text, "the attribute '_class', which is no text"),
    "no name": (lambda g: setattr(node(g, "c"), "name", ""), "(Conv2D) has no name"),
    "negative dimension": (placeholder(-7), "'shape' with a negative dimension"),
    "immense": (placeholder(2**40), "a shape of too many elements"),
    "no such node": (lambda g: node(g, "c").input.append("gone"), "node 'c' has the input 'gone', which is not in"),
    "no such tensor": (lambda g: node(g, "c").input.append("input:x"), "which is no tensor name"),
    "data behind control": (lambda g: node(g, "c").input.extend(["^input", "input"]), "behind a control input"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_damage(tmp_path, name):
    graph_def = build(net)
    edit, said = CASES[name]
    edit(graph_def)
    path = str(tmp_path / "g.pb")
    with open(path, "wb") as stream:
        stream.write(graph_def.SerializeToString())
    with pytest.raises(BadInputError) as caught:
        load_graph(path)
    assert said in caught.value.message
    assert caught.value.message.startswith(path)
    assert caught.value.remedy


def test_in_functions():
    @tf.function
    def block(x):
        return tf.nn.relu(x) + tf.constant([1.0, 2.0])

    for edit, said in (
        (lambda f: f.node_def[0].attr.clear(), "has no attribute"),
        (lambda f: f.node_def[-1].input.append("nobody:y:0"), "reads 'nobody:y:0', which is not there"),
        (lambda f: f.ret.clear(), "its results reads '', which is not there"),
        (lambda f: f.control_ret.update({"x": "nobody"}), "its control output is 'nobody', which does not exist"),
        (lambda f: f.node_def.add().CopyFrom(f.node_def[0]), "two nodes of one name"),
    ):
        graph_def = build(lambda: tf.identity(block(image((2,))), name="out"))
        edit(graph_def.library.function[0])
        with pytest.raises(BadInputError, match=r"the graph, function '.*block") as caught:
            load_graph(graph_def)
        assert said in caught.value.message


def test_small_files_with_large_constants(monkeypatch):
    monkeypatch.setattr(well_formed, "PROTOBUF_LIMIT", 10**6)
    graph_def = build(net)
    for number in range(3):
        extra = graph_def.node.add(name="large%d" % number, op="Const")
        extra.attr["dtype"].type = types_pb2.DT_FLOAT
        extra.attr["value"].tensor.CopyFrom(v1.make_tensor_proto(np.float32(1), shape=[100, 1000]))
    with pytest.raises(BadInputError, match=r"the constants of the graph have 1201184 bytes; at most 2 GB"):
        load_graph(graph_def)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.bfloat16, tf.complex64, tf.bool, tf.int8, tf.qint8])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (5,)])
def test_what_tensorflow_writes_is_well_formed(dtype, shape):
    def constants():
        x = image((1,))
        if dtype == tf.qint8:
            tf.raw_ops.QuantizeV2(input=tf.zeros(shape), min_range=0.0, max_range=1.0, T=dtype, mode="SCALED", name="q")
        else:
            tf.constant(np.ones(shape), dtype, name="value")
            tf.constant(np.arange(int(np.prod(shape))).reshape(shape), tf.float32)
        tf.constant([b"text", b"more"])
        tf.identity(x, name="out")

    well_formed.check_well_formed(build(constants), "g")


def test_a_circle_of_identities_ends():
    graph_def = build(net)
    for name, source in (("a", "b"), ("b", "a")):
        added = graph_def.node.add(name=name, op="Identity", input=[source])
        added.attr["T"].type = types_pb2.DT_FLOAT
    with pytest.raises(BadInputError, match=r"cycle through node '[ab]'"):
        convert(graph_def, [{"input:0": np.ones((1, 8, 8, 4), np.float32)}], inputs=["input"], outputs=["a", "out"])


def test_text_that_is_nested_too_deep(tmp_path):
    path = tmp_path / "g.pbtxt"
    opening = 'node { name: "a" op: "B" attr { key: "f" value { func { name: "f" '
    path.write_text(opening + 'attr { key: "f" value { func { name: "f" ' * 5000 + "}}}" * 5000 + "}}}}")
    with pytest.raises(BadInputError, match=r"g\.pbtxt is not a text graph: it is nested too deep"):
        load_graph(str(path))


def test_what_a_pass_fails_on_is_explained(monkeypatch):
    """Where TensorFlow cannot import the graph, that is said; else it is a defect, and stays one."""

    def fail(graph, *arguments):
        raise KeyError("x")

    monkeypatch.setattr("intel_quantization.stages.optimize.optimize", fail)
    graph_def = build(net)
    with pytest.raises(KeyError):
        convert(graph_def)
    value(graph_def).tensor_shape.dim[0].size, value(graph_def).tensor_shape.dim[2].size = 4, 3
    with pytest.raises(BadInputError, match=r"TensorFlow .* cannot import the graph: .*input depth"):
        convert(graph_def, [])


def test_a_whole_graph_is_taken(tmp_path):
    graph_def = build(net)
    write_graph(graph_def, str(tmp_path / "g.pb"))
    assert load_graph(str(tmp_path / "g.pb")).graph_def == graph_def
    assert io.graph_size(graph_def) > 0
