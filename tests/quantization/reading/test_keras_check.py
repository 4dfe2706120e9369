"""Keras files that would run code, or read other files, are refused before Keras sees them."""

from __future__ import annotations

import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import node_def_pb2
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.reading.keras_check import check_keras
from intel_quantization.reading.keras_model import freeze_keras

pytestmark = pytest.mark.tensorflow

FORMATS = [".h5"] + ([".keras"] if hasattr(tf.keras.Model, "export") else [])
layers = tf.keras.layers


def saved(path, last=None):
    """A model of a dense layer, and of what ``last`` adds."""
    with context.eager_mode():
        tf.keras.backend.clear_session()
        x = layers.Input((4,), name="x")
        y = layers.Dense(3, name="d")(x)
        tf.keras.Model(x, y if last is None else last(y)).save(path)
    return path


def edited(path, edit):
    """The file with another config."""
    if path.endswith(".h5"):
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config)
            file.attrs["model_config"] = json.dumps(config)
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    edit(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refused(path, match):
    with pytest.raises(BadInputError, match=match) as caught:
        freeze_keras(path)
    assert path in caught.value.message
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_lambda_does_not_run(tmp_path, suffix):
    mark = str(tmp_path / "mark")
    evil = layers.Lambda(lambda t: (t, open(mark, "w").close())[0], name="evil")
    path = saved(str(tmp_path / ("m" + suffix)), evil)
    (tmp_path / "mark").unlink()
    refused(path, "the layer 'evil' of .* is a Lambda, which carries code")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_lambda_in_a_model_in_a_wrapper(tmp_path, suffix):
    def nested(y):
        inner = tf.keras.Sequential([layers.Input((3,)), layers.Lambda(lambda t: t * 2, name="deep")])
        return inner(y)

    refused(saved(str(tmp_path / ("m" + suffix)), nested), "the layer 'deep'")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("part", "match"),
    [
        ({"class_name": "function", "config": "system", "module": "os", "registered_name": "x"}, "module 'os'"),
        ({"class_name": "__lambda__", "config": {"value": ["", None, None]}, "module": "builtins"}, "carries code"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.gfile.remove", "name": "r"}}, "calls tf.io.gfile"),
        ({"class_name": "TFOpLambda", "config": {"function": "load_op_library"}}, "calls tf.load_op_library"),
        ({"class_name": "ClassMethod", "config": {"cls_symbol": "io.TFRecordWriter"}}, "calls tf.io"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "/"}}, "carries code"),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd", "name": "s"}}, "reads the file"),
    ],
)
def test_parts_of_a_config(tmp_path, suffix, part, match):
    path = saved(str(tmp_path / ("m" + suffix)))
    edited(path, lambda config: config["config"]["layers"][1]["config"].update(kernel_regularizer=part))
    refused(path, match)


def test_an_op_of_a_layer(tmp_path):
    node = node_def_pb2.NodeDef()
    text_format.Parse("name: 'w' op: 'WriteFile'", node)
    path = saved(str(tmp_path / "m.h5"))
    part = {"class_name": "TensorFlowOpLayer", "config": {"node_def": node.SerializeToString().decode(), "name": "t"}}
    edited(path, lambda config: config["config"]["layers"].append(part))
    refused(path, "WriteFile, which reads or writes files")


@pytest.mark.parametrize("suffix", FORMATS)
def test_symbols_that_compute_are_taken(tmp_path, suffix):
    def pure(y):
        return tf.nn.relu(tf.reshape(tf.math.exp(y) + 1.0, [-1, 3]))[:, :2]

    assert len(freeze_keras(saved(str(tmp_path / ("m" + suffix)), pure)).outputs) == 1


def test_weights_in_other_files(tmp_path):
    path = saved(str(tmp_path / "m.h5"))
    other = str(tmp_path / "secret")
    np.arange(3, dtype=np.float32).tofile(other)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/d/d"]
        del group["bias:0"]
        group.create_dataset("bias:0", (3,), np.float32, external=[(other, 0, 12)])
    refused(path, "takes .*bias:0 out of another file: .*secret")
    shutil.copyfile(saved(str(tmp_path / "n.h5")), path)
    with h5py.File(path, "r+") as file:
        del file["model_weights/d"]["d"]
        file["model_weights/d"]["d"] = h5py.ExternalLink(str(tmp_path / "n.h5"), "/model_weights/d/d")
    refused(path, r"out of another file: .*n\.h5")


def test_a_file_that_is_both(tmp_path):
    """Which of them Keras takes depends on the name."""
    inner = saved(str(tmp_path / "l.h5"), layers.Lambda(lambda t: t, name="evil"))
    with zipfile.ZipFile(str(tmp_path / "z"), "w") as archive:
        archive.writestr("config.json", "{}")
    data = (tmp_path / "z").read_bytes()
    path = tmp_path / "m.h5"
    with h5py.File(str(path), "w", userblock_size=512) as file, h5py.File(inner, "r") as source:
        for name in source:
            source.copy(name, file)
        file.attrs["model_config"] = source.attrs["model_config"]
    content = bytearray(path.read_bytes())
    content[: len(data)] = data
    path.write_bytes(bytes(content))
    with pytest.raises(BadInputError, match="the layer 'evil'"):
        check_keras(str(path))


def test_damage(tmp_path):
    path = saved(str(tmp_path / "m.h5"))
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = "{" * 100_000
    refused(path, "is no JSON")
    data = (tmp_path / "m.h5").read_bytes()
    (tmp_path / "m.h5").write_bytes(data[: len(data) // 2])
    refused(path, r"m\.h5")


def test_an_archive_that_unpacks_to_gigabytes(tmp_path):
    """Before it is unpacked: 3 GB of spaces take 3 MB."""
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(3):
            with archive.open("%d.json" % number, "w", force_zip64=True) as stream:
                for _ in range(1000):
                    stream.write(bytes(1 << 20))
    with pytest.raises(BadInputError, match=r"what .*bomb\.keras unpacks to: 3145728000 bytes"):
        check_keras(str(path))
