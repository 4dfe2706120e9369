"""Keras files: frozen graphs that give the numbers of model.predict; what is no whole model is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph import io
from intel_quantization.reading.keras_model import freeze_keras
from tests.quantization.builders import ops, run

pytestmark = pytest.mark.tensorflow

FORMATS = [".h5"] + ([".keras"] if hasattr(tf.keras.Model, "export") else [])
layers = tf.keras.layers


def one_input():
    x = layers.Input((8, 8, 3), name="image")
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    y = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(y))
    return tf.keras.Model(x, layers.Dense(5, activation="softmax", name="classes")(y))


def several():
    z, a = layers.Input((8, 8, 3), name="z"), layers.Input((4,), name="a")
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(z))
    y = layers.Add(name="sum")([y, a])
    return tf.keras.Model([z, a], [layers.Dense(2, name="second")(y), layers.Dense(3, name="first")(y)])


def save(model, path):
    with context.eager_mode():
        model.save(path)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_input(tmp_path, suffix):
    with context.eager_mode():
        tf.keras.backend.clear_session()
        model = one_input()
        feed = np.random.RandomState(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
        wanted = model(feed, training=False).numpy()
    frozen = freeze_keras(save(model, str(tmp_path / ("m" + suffix))))
    assert list(frozen.inputs) == ["image"]
    assert len(frozen.outputs) == 1
    given = run(frozen.graph_def, {frozen.inputs["image"]: feed}, *frozen.outputs.values())[0]
    np.testing.assert_allclose(given, wanted, rtol=1e-4)
    assert not {"VarHandleOp", "StatefulPartitionedCall"} & set(ops(frozen.graph_def))


@pytest.mark.parametrize("suffix", FORMATS)
def test_several_inputs_and_outputs(tmp_path, suffix):
    with context.eager_mode():
        tf.keras.backend.clear_session()
        model = several()
        feed = {"z": np.ones((2, 8, 8, 3), np.float32), "a": np.ones((2, 4), np.float32)}
        wanted = [value.numpy() for value in model([feed["z"], feed["a"]], training=False)]
    frozen = freeze_keras(save(model, str(tmp_path / ("m" + suffix))))
    given = run(frozen.graph_def, {frozen.inputs[key]: feed[key] for key in feed}, *frozen.outputs.values())
    assert [value.shape for value in given] == [(2, 2), (2, 3)]
    for mine, value in zip(given, wanted):
        np.testing.assert_allclose(mine, value, rtol=1e-4)


def test_what_is_refused(tmp_path, monkeypatch):
    for data in (b"", b"text", b"\x89HDF\r\n\x1a\n" + b"0" * 99, b"PK\x03\x04" + b"0" * 99):
        (tmp_path / "m.h5").write_bytes(data)
        with pytest.raises(BadInputError, match=r"m\.h5") as caught:
            freeze_keras(str(tmp_path / "m.h5"))
        assert "\n" not in caught.value.message
    with pytest.raises(BadInputError, match="No such file"):
        freeze_keras(str(tmp_path / "none.h5"))
    with context.eager_mode():
        model = one_input()
        model.save_weights(str(tmp_path / "only.weights.h5"))
    with pytest.raises(BadInputError, match=r"only\.weights\.h5") as caught:
        freeze_keras(str(tmp_path / "only.weights.h5"))
    assert "weights alone" in caught.value.remedy
    path = save(model, str(tmp_path / "m.h5"))
    monkeypatch.setattr(io, "PROTOBUF_LIMIT", 100)
    with pytest.raises(BadInputError, match=r"the weights of .* 2 GB"):
        freeze_keras(path)
