"""SavedModels of both kinds: the frozen graph gives the numbers of the signature, under its names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph import io
from intel_quantization.reading.saved_model import freeze_saved_model, is_saved_model
from tests.quantization.builders import batch, build, conv, image, ops, run, v1

pytestmark = pytest.mark.tensorflow


class Net(tf.Module):
    """Two inputs and two outputs, in no alphabetic order; a branch; a variable that is not used."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(np.random.RandomState(0).normal(size=(3, 3, 4, 8)).astype(np.float32))
        self.unused = tf.Variable(tf.zeros((7,)))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="z"), tf.TensorSpec((None, 8), name="a")])
    def serve(self, z, a):
        x = tf.nn.relu(tf.nn.conv2d(z, self.weights, 1, "SAME"))
        mean = tf.reduce_mean(x, [1, 2]) + a
        mean = tf.cond(tf.reduce_sum(a) > 1e9, lambda: mean * 2, lambda: mean)
        return {"scores": mean, "maps": x}

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="z")])
    def other(self, z):
        return {"result": z * 2}


@pytest.fixture(name="second", scope="module")
def _second(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("second") / "saved")
    with context.eager_mode():
        net = Net()
        tf.saved_model.save(net, path, signatures={"serving_default": net.serve, "other": net.other})
        feed = {"z": np.ones((2, 8, 8, 4), np.float32), "a": np.arange(16, dtype=np.float32).reshape(2, 8)}
        wanted = {name: value.numpy() for name, value in net.serve(**feed).items()}
    return path, feed, wanted


@pytest.fixture(name="first", scope="module")
def _first(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("first") / "saved")
    with tf.Graph().as_default(), v1.Session() as session:
        x = image()
        scale = v1.get_variable("scale", (8,), initializer=v1.random_normal_initializer(seed=1), use_resource=False)
        shift = v1.get_variable("shift", (8,), initializer=v1.random_normal_initializer(seed=2), use_resource=True)
        out = tf.nn.softmax(tf.reduce_mean(conv(x, name="c"), [1, 2]) * scale + shift, name="predict")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, path, {"images": x}, {"classes": out})
        feed = {"input:0": np.ones((2, 8, 8, 4), np.float32)}
        return path, feed, session.run(out, feed)


def test_the_second_kind(second):
    path, feed, wanted = second
    frozen = freeze_saved_model(path)
    assert frozen.signature == "serving_default"
    assert set(frozen.inputs) == {"z", "a"}
    assert frozen.outputs == {"maps": "maps:0", "scores": "scores:0"}
    given = {frozen.inputs[name]: value for name, value in feed.items()}
    for name, value in wanted.items():
        np.testing.assert_allclose(run(frozen.graph_def, given, frozen.outputs[name])[0], value, rtol=1e-5)
    assert not {"VarHandleOp", "StatefulPartitionedCall", "PartitionedCall"} & set(ops(frozen.graph_def))


def test_the_first_kind_keeps_its_node_names(first):
    path, feed, wanted = first
    frozen = freeze_saved_model(path)
    assert frozen.inputs == {"images": "input:0"}
    assert frozen.outputs == {"classes": "predict:0"}
    np.testing.assert_allclose(run(frozen.graph_def, feed, "predict")[0], wanted, rtol=1e-5)
    assert not {"VariableV2", "VarHandleOp"} & set(ops(frozen.graph_def))


def test_a_text_saved_model(first, tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        v = v1.get_variable("v", (), initializer=v1.ones_initializer())
        x = image()
        session.run(v.initializer)
        inputs, outputs = ({"x": v1.saved_model.build_tensor_info(t)} for t in (x, tf.add(x, v, name="out")))
        builder = v1.saved_model.Builder(str(tmp_path / "saved"))
        signature = v1.saved_model.build_signature_def(inputs, outputs, "predict")
        builder.add_meta_graph_and_variables(session, ["mine"], {"only": signature})
        builder.save(as_text=True)
    assert is_saved_model(str(tmp_path / "saved"))
    frozen = freeze_saved_model(str(tmp_path / "saved"))
    assert (frozen.signature, frozen.outputs) == ("only", {"x": "out:0"})
    feed = batch(frozen.graph_def)
    np.testing.assert_allclose(run(frozen.graph_def, feed, "out")[0], feed["input:0"] + 1, rtol=1e-6)


def test_signatures(second):
    path, feed, _wanted = second
    frozen = freeze_saved_model(path, "other")
    assert frozen.outputs == {"result": "result:0"}
    np.testing.assert_allclose(run(frozen.graph_def, {frozen.inputs["z"]: feed["z"]}, "result")[0], feed["z"] * 2)
    with pytest.raises(BadInputError, match="no signature 'nothing'") as caught:
        freeze_saved_model(path, "nothing")
    assert caught.value.remedy == "it has other, serving_default"


def edited(path, target, edit):
    shutil.copytree(path, target)
    model = saved_model_pb2.SavedModel()
    file = os.path.join(target, "saved_model.pb")
    with open(file, "rb") as stream:
        model.ParseFromString(stream.read())
    edit(model.meta_graphs[0].signature_def)
    with open(file, "wb") as stream:
        stream.write(model.SerializeToString())
    return target


def test_several_signatures_and_no_default(first, tmp_path):
    def edit(signatures):
        signatures["b"].CopyFrom(signatures["serving_default"])
        signatures["a"].CopyFrom(signatures["serving_default"])
        del signatures["serving_default"]

    path = edited(first[0], str(tmp_path / "saved"), edit)
    with pytest.raises(BadInputError, match="several signatures: a, b") as caught:
        freeze_saved_model(path)
    assert "--signature" in caught.value.remedy
    assert freeze_saved_model(path, "b").outputs == {"classes": "predict:0"}


def test_no_signature(first, second, tmp_path):
    path = edited(first[0], str(tmp_path / "first"), lambda signatures: signatures.clear())
    with pytest.raises(BadInputError, match="has no signature") as caught:
        freeze_saved_model(path)
    assert "--outputs" in caught.value.remedy
    with pytest.raises(BadInputError, match="the output 'owt' is not in"):
        freeze_saved_model(path, outputs=["owt"])
    assert "predict" in [node.name for node in freeze_saved_model(path, outputs=["predict:0"]).graph_def.node]
    with pytest.raises(BadInputError, match="has no signature"):
        freeze_saved_model(edited(second[0], str(tmp_path / "second"), lambda signatures: signatures.clear()))


def test_damage(first, tmp_path):
    path = str(tmp_path / "saved")
    shutil.copytree(first[0], path)
    os.unlink(os.path.join(path, "variables", "variables.data-00000-of-00001"))
    with pytest.raises(BadInputError, match="saved") as caught:
        freeze_saved_model(path)
    assert "\n" not in caught.value.message
    for data in (b"", b"\xff" * 9, build(image).SerializeToString()[:-3]):
        with open(os.path.join(path, "saved_model.pb"), "wb") as stream:
            stream.write(data)
        with pytest.raises(BadInputError, match=r"saved_model\.pb"):
            freeze_saved_model(path)
    assert not is_saved_model(str(tmp_path))


def test_over_two_gigabytes_before_anything_is_loaded(second, monkeypatch):
    monkeypatch.setattr(io, "PROTOBUF_LIMIT", 3 * 3 * 4 * 8 * 4 - 1)
    monkeypatch.setattr(tf.compat.v2.saved_model, "load", None)
    monkeypatch.setattr("intel_quantization.reading.saved_model.read_bytes", lambda path: Path(path).read_bytes())
    with pytest.raises(BadInputError, match=r"the variables of .*: 1180 bytes; .* 2 GB"):
        freeze_saved_model(second[0])


@pytest.mark.parametrize("name", ["variables.data-00000-of-00001", "variables.index"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_variables_that_are_cut(first, second, tmp_path, name, keep):
    for number, source in enumerate((first[0], second[0])):
        path = str(tmp_path / str(number))
        shutil.copytree(source, path)
        file = Path(path) / "variables" / name
        data = file.read_bytes()
        file.write_bytes(data[: int(len(data) * keep)])
        with pytest.raises(BadInputError) as caught:
            freeze_saved_model(path)
        assert path in caught.value.message
        assert caught.value.remedy


def test_an_object_graph_that_does_not_parse(second, tmp_path, monkeypatch):
    """It is in the variables file, as a text."""

    def fail(path, tags):
        raise DecodeError("Error parsing message")

    monkeypatch.setattr(tf.compat.v2.saved_model, "load", fail)
    with pytest.raises(BadInputError, match=r"cannot freeze the SavedModel .*: Error parsing message"):
        freeze_saved_model(second[0])
