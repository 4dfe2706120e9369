"""Graphs whose outputs need ops that touch files, processes or Python are refused; leftovers are disarmed."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph.session import run_graph
from intel_quantization.reading.load import load_graph
from intel_quantization.reading.op_safety import refusal
from tests.quantization.builders import build, conv_block, convert, image, node, ops, v1

pytestmark = pytest.mark.tensorflow


def with_side(effect):
    """A net whose output waits for an effect, or reads what it gives."""

    def net():
        x = conv_block(image(), "c")
        given = effect(x)
        if isinstance(given, tf.Tensor):
            tf.add(x, tf.cast(given, tf.float32), name="out")
        else:
            with tf.control_dependencies([given]):
                tf.identity(x, name="out")

    return build(net)


EFFECTS = {
    "WriteFile": lambda x: tf.io.write_file("/tmp/never", tf.strings.as_string(tf.reduce_sum(x))),
    "ReadFile": lambda x: tf.strings.length(tf.io.read_file("/etc/hostname")),
    "MatchingFiles": lambda x: tf.size(tf.io.matching_files("/*")),
    "PrintV2": lambda x: tf.raw_ops.PrintV2(input=tf.constant("x"), output_stream="file:///tmp/never"),
    "PyFunc": lambda x: tf.reshape(v1.py_func(lambda y: y, [tf.reduce_sum(x)], tf.float32), []),
    "PyFuncStateless": lambda x: tf.reshape(v1.py_func(lambda y: y, [tf.reduce_sum(x)], tf.float32, False), []),
    "EagerPyFunc": lambda x: tf.reshape(tf.py_function(lambda y: y, [tf.reduce_sum(x)], tf.float32), []),
    "SaveV2": lambda x: tf.raw_ops.SaveV2(prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], tensors=[x]),
    "RestoreV2": lambda x: tf.raw_ops.RestoreV2(
        prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0],
    "TextLineReaderV2": lambda x: tf.raw_ops.ReaderNumRecordsProducedV2(reader_handle=tf.raw_ops.TextLineReaderV2()),
    "TFRecordDataset": lambda x: tf.raw_ops.DatasetToSingleElement(
        dataset=tf.raw_ops.TFRecordDataset(filenames=["/tmp/never"], compression_type="", buffer_size=0),
        output_types=[tf.float32],
        output_shapes=[[]],
    )[0],
    "Abort": lambda x: tf.raw_ops.Abort(error_msg="", exit_without_error=True),
}


@pytest.mark.parametrize("op", list(EFFECTS))
def test_refused(op):
    graph_def = with_side(EFFECTS[op])
    with pytest.raises(BadInputError, match=r"the graph: node '.*' is a ") as caught:
        convert(graph_def, outputs=["out"])
    assert "--allow_op " in caught.value.remedy
    assert op in {item.op for item in graph_def.node if refusal(item.op, item)}
    needed = {item.op for item in graph_def.node if refusal(item.op, item)}
    assert load_graph(graph_def, outputs=["out"], allow_op=needed).graph_def == graph_def


def test_in_functions_of_functions():
    @tf.function
    def inner(x):
        tf.io.write_file("/tmp/never", "x")
        return x * 2.0

    @tf.function
    def outer(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: inner(x), lambda: x)

    graph_def = build(lambda: tf.identity(outer(conv_block(image(), "c")), name="out"))
    with pytest.raises(BadInputError, match=r"of the function '.*inner.*' is a WriteFile"):
        load_graph(graph_def)
    assert load_graph(graph_def, allow_op=["WriteFile"]).outputs[0].node == "out"


def test_what_is_before_an_input_or_behind_no_output_does_not_matter(tmp_path):
    def net():
        data = tf.io.decode_raw(tf.io.read_file(str(tmp_path / "x")), tf.float32, name="data")
        x = tf.nn.relu(tf.reshape(data, [1, 8, 8, 4]), name="cut")
        y = conv_block(x, "c")
        tf.identity(y, name="out")
        tf.io.write_file(str(tmp_path / "written"), tf.strings.as_string(tf.reduce_sum(y)), name="write")
        found = tf.io.matching_files(str(tmp_path / "*"))
        tf.reshape(y, tf.stack([tf.size(found) + 1, -1]), name="shaped")

    loaded = load_graph(build(net), ["cut"], ["out"])
    assert {refusal(item.op) for item in loaded.graph_def.node} == {""}
    assert node(loaded.graph_def, "write").op == "NoOp"
    assert [info.name for info in loaded.inputs] == ["cut:0"]
    feed = {"cut:0": np.ones((1, 8, 8, 4), np.float32)}
    assert run_graph(loaded.graph_def, feed, ["out:0"])[0].shape == (1, 8, 8, 8)
    conversion = convert(build(net), [feed], inputs=["cut"], outputs=["out"])
    assert conversion.decisions[0].int8
    assert os.listdir(str(tmp_path)) == []


def test_random_numbers_and_messages_may_stay():
    def effect(x):
        return tf.raw_ops.Print(input=tf.random.uniform([]), data=[x], message="", first_n=0, summarize=1)

    assert load_graph(with_side(effect)).outputs[0].node == "out"


# -- SavedModels ---------------------------------------------------------------------------------


def first_kind(path, effect=lambda: None, main_op=None):
    with tf.Graph().as_default(), v1.Session() as session:
        x = image()
        scale = v1.get_variable("scale", (8,), initializer=v1.ones_initializer(), use_resource=False)
        out = tf.multiply(conv_block(x, "c"), scale, name="out")
        effect()
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"x": x}, {"out": out})
        builder = v1.saved_model.Builder(path)
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=main_op() if main_op else None
        )
        builder.save()
    return path


def test_savers_of_the_first_kind_are_no_obstacle(tmp_path):
    loaded = load_graph(first_kind(str(tmp_path / "m")))
    assert not {"SaveV2", "RestoreV2"} & set(ops(loaded.graph_def))


def test_leftovers_and_initializers_that_touch_files_do_not_run(tmp_path):
    written = str(tmp_path / "written")
    path = first_kind(
        str(tmp_path / "m"),
        lambda: tf.io.write_file(written, "x"),
        lambda: tf.group(tf.io.write_file(written, "x"), v1.tables_initializer()),
    )
    assert load_graph(path).outputs[0].name == "out:0"
    assert not os.path.exists(written)


def test_what_restores_variables_reads_its_own_file_only(tmp_path):
    path = first_kind(str(tmp_path / "m"))
    model = saved_model_pb2.SavedModel()
    file = os.path.join(path, "saved_model.pb")
    with open(file, "rb") as stream:
        model.ParseFromString(stream.read())
    graph_def = model.meta_graphs[0].graph_def
    other = graph_def.node.add(name="other", op="Const")
    other.attr["dtype"].type = tf.string.as_datatype_enum
    other.attr["value"].tensor.CopyFrom(v1.make_tensor_proto(b"/somewhere/else"))
    restore = next(item for item in graph_def.node if item.op == "RestoreV2")
    restore.input[0] = "other"
    with open(file, "wb") as stream:
        stream.write(model.SerializeToString())
    with pytest.raises(BadInputError, match="RestoreV2, which reads another file"):
        load_graph(path)


def second_kind(path, module):
    with context.eager_mode():
        tf.saved_model.save(module, path, signatures={"serving_default": module.serve})
    return path


def test_savers_of_the_second_kind_are_no_obstacle(tmp_path):
    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = tf.Variable(tf.ones((3, 3, 4, 8)))

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="x")])
        def serve(self, x):
            return {"out": tf.nn.relu(tf.nn.conv2d(x, self.weights, 1, "SAME"))}

    loaded = load_graph(second_kind(str(tmp_path / "m"), Net()))
    assert loaded.outputs[0].node == "out"


def test_functions_that_loading_would_run(tmp_path):
    from tensorflow.python.trackable import resource  # has another place before TensorFlow 2.9

    written = str(tmp_path / "written")

    class Resource(resource.CapturableResource):
        def _create_resource(self):
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="evil")

        def _initialize(self):
            tf.io.write_file(written, "x")
            tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=1.0)

    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.resource = Resource()

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="x")])
        def serve(self, x):
            return {"out": x * tf.raw_ops.ReadVariableOp(resource=self.resource.resource_handle, dtype=tf.float32)}

    path = second_kind(str(tmp_path / "m"), Net())
    if os.path.exists(written):
        os.unlink(written)
    with pytest.raises(BadInputError, match="is a WriteFile, which reads or writes files"):
        load_graph(path)
    assert not os.path.exists(written)
