"""Models to write as SavedModels: of Keras, of TensorFlow 2 with several signatures and an asset, of TensorFlow 1."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from intel_quantization.graph_converter import GraphConverter
from tests.quantization.builders import bias, build, conv, image, random, v1

SHAPE = (4, 8, 8, 4)
FEED = np.random.RandomState(0).normal(size=SHAPE).astype(np.float32)
WORDS = ["cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"]


def convert(source, target, **more):
    """Convert, with FEED as the data."""
    return GraphConverter(source, str(target) + "/", calibration_data=FEED, **more).convert()


def net(x):
    """Two convolutions in INT8, and their means."""
    y = tf.nn.relu(bias(conv(x, name="first"), "first_bias"))
    y = tf.nn.relu(bias(conv(y, name="second"), "second_bias"))
    return tf.reduce_mean(y, [1, 2], name="predict")


def frozen():
    """The net as a GraphDef."""
    return build(lambda: net(image()))


def keras_model(path):
    """One input, one output, saved as a Keras file; returns the model."""
    layers = tf.keras.layers
    with context.eager_mode():
        tf.keras.backend.clear_session()
        tf.keras.utils.set_random_seed(1)
        x = layers.Input(SHAPE[1:], name="photo")
        y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        y = layers.Conv2D(8, 3, activation="relu")(y)
        model = tf.keras.Model(x, layers.Dense(5, activation="softmax", name="classes")(layers.Flatten()(y)))
        model.save(path)
    return model


def keras_pair(path):
    """Two inputs, in no alphabetic order, and two outputs."""
    layers = tf.keras.layers
    with context.eager_mode():
        tf.keras.backend.clear_session()
        tf.keras.utils.set_random_seed(1)
        z, a = layers.Input(SHAPE[1:], name="z"), layers.Input((8,), name="a")
        y = layers.Conv2D(8, 3, padding="same", activation="relu")(z)
        y = layers.Conv2D(8, 3, activation="relu")(y)
        y = layers.Add(name="sum")([layers.GlobalAveragePooling2D()(y), a])
        model = tf.keras.Model([z, a], [layers.Dense(2, name="second")(y), layers.Dense(3, name="first")(y)])
        model.save(path)
    return model


class Module(tf.Module):
    """Signatures: serve (INT8), alias (the same), features (other results), words (a table made of an asset)."""

    def __init__(self, vocabulary=None):
        super().__init__()
        self.first = tf.Variable(random("first", (3, 3, 4, 8), 0.2))
        self.second = tf.Variable(random("second", (3, 3, 8, 8), 0.2))
        self.table = None
        if vocabulary is not None:
            whole, line = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
            start = tf.lookup.TextFileInitializer(vocabulary, tf.int64, line, tf.string, whole)
            self.table = tf.lookup.StaticHashTable(start, "?")

    def maps(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.first, 1, "SAME"))
        return tf.nn.relu(tf.nn.conv2d(x, self.second, 1, "SAME"))

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="photo")])
    def serve(self, photo):
        return {"scores": tf.reduce_mean(self.maps(photo), [1, 2])}

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="photo")])
    def features(self, photo):
        return {"maps": self.maps(photo), "twice": photo * 2}

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="photo")])
    def words(self, photo):
        best = tf.argmax(self.serve(photo)["scores"], -1)
        return {"word": tf.as_string(best) if self.table is None else self.table.lookup(best)}


def several_signatures(folder, vocabulary=None):
    """A SavedModel of TensorFlow 2; ``vocabulary``: where a file for the asset is written, None: no such signature."""
    with context.eager_mode():
        if vocabulary is not None:
            with open(vocabulary, "w") as stream:
                stream.write("\n".join(WORDS) + "\n")
        module = Module(vocabulary)
        signatures = {"serving_default": module.serve, "alias": module.serve, "features": module.features}
        if vocabulary is not None:
            signatures["words"] = module.words
        tf.saved_model.save(module, folder, signatures=signatures)
    return folder


def first_kind(folder, classify=True):
    """A SavedModel of TensorFlow 1: predict and, with the same tensors, a signature for Serving's Classify."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = image()
        scale = v1.get_variable("scale", (8,), initializer=v1.ones_initializer(), use_resource=False)
        y = tf.multiply(net(x), scale, name="scaled")
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signatures = {
            "serving_default": v1.saved_model.build_signature_def(
                {"images": info(x)}, {"scores": info(y)}, "tensorflow/serving/classify"
            )
        }
        if classify:
            signatures["raw"] = v1.saved_model.build_signature_def(
                {"images": info(x)}, {"maps": info(tf.identity(x, name="raw"))}, "tensorflow/serving/predict"
            )
        builder = v1.saved_model.Builder(folder)
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    return folder


def files_of(folder):
    """Relative path -> bytes."""
    found = {}
    for place, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as stream:
                found[os.path.relpath(path, folder)] = stream.read()
    return found
