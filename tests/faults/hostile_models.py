"""Makes Keras files and SavedModels that are damaged, or that carry code; runs inside, on TensorFlow: see inputs.py.

Each function of MODELS writes one file, or a folder, of its name into a folder.
"""

import os
import zipfile

import tensorflow as tf
from hostile_graphs import MARK, conv, end_in_classes, image

v1 = tf.compat.v1
MODELS = {}
"""Name -> what makes it, called with its path."""


def _keras(path, *more):
    layers = tf.keras.layers
    x = layers.Input((16, 16, 3), name="input")
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    for layer in more:
        y = layer(y)
    tf.keras.Model(x, layers.Dense(4, activation="softmax")(y)).save(path)


def _evil():
    return tf.keras.layers.Lambda(lambda t: (t, open("/tmp/a_hostile_graph_ran", "w").close())[0], name="evil")


def _lambda(path):
    _keras(path, _evil())
    if os.path.exists(MARK):
        os.unlink(MARK)  # making it called it


MODELS["lambda.h5"] = _lambda
MODELS["lambda.keras"] = _lambda


def _bomb(path):
    """A member of 3 GB, of nothing but spaces."""
    _keras(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            if name != "config.json":
                archive.writestr(name, data)
                continue
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(data)
                for _ in range(3000):
                    stream.write(b" " * (1 << 20))


MODELS["bomb.keras"] = _bomb


def _saved_model(path):
    with tf.Graph().as_default(), v1.Session() as session:
        x = image()
        scale = v1.get_variable("scale", (8,), initializer=v1.ones_initializer())
        y = end_in_classes(conv(x) * scale)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, path, {"x": x}, {"y": y})


def _cut_variables(path):
    _saved_model(path)
    name = os.path.join(path, "variables", "variables.data-00000-of-00001")
    with open(name, "r+b") as stream:
        stream.truncate(os.path.getsize(name) // 2)


def _no_variables(path):
    _saved_model(path)
    for name in os.listdir(os.path.join(path, "variables")):
        os.unlink(os.path.join(path, "variables", name))


def _reads_at_loading(path):
    """A SavedModel of the second kind: a function that reads a file, and one that writes one when it is restored."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32)])
        def answer(self, x):
            length = tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
            return tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 1, "SAME") * length

        @tf.function(input_signature=[])
        def _initialize(self):
            tf.io.write_file(MARK, "x")

    module = Module()
    tf.saved_model.save(module, path, signatures=module.answer)


MODELS["reads_in_a_saved_model"] = _reads_at_loading
MODELS["cut_variables"] = _cut_variables
MODELS["no_variables"] = _no_variables
