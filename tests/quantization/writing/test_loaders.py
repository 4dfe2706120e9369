"""What is written is loaded and gives the graph's numbers: by Python, a session, the C API, the CLI, and Keras."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from intel_quantization.ops.snapshots import order
from tests.quantization.builders import run, v1
from tests.quantization.writing import models
from tests.quantization.writing.c_api import Serving
from tests.quantization.writing.models import FEED

pytestmark = pytest.mark.tensorflow

SECOND = order(tf.__version__) >= order("2.2")
FORMS = ["frozen", "first", *(["second", "keras"] if SECOND else [])]


@pytest.fixture(name="served", scope="module", params=FORMS)
def _served(request, tmp_path_factory):
    """The SavedModel's folder, and the conversion."""
    place = tmp_path_factory.mktemp(request.param)
    source = str(place / "source")
    if request.param == "frozen":
        source = models.frozen()
    elif request.param == "keras":
        source += ".h5"
        models.keras_model(source)
    else:
        {"first": models.first_kind, "second": models.several_signatures}[request.param](source)
    return str(place / "out"), models.convert(source, place / "out")


def by_load(folder, key):
    with context.eager_mode():
        loaded = tf.compat.v2.saved_model.load(folder)
        return {
            name: value.numpy()
            for name, value in loaded.signatures["serving_default"](**{key: tf.constant(FEED)}).items()
        }


def by_session(folder, key):
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.loader.load(session, ["serve"], folder)
        signature = meta.signature_def["serving_default"]
        wanted = {name: info.name for name, info in signature.outputs.items()}
        return session.run(wanted, {signature.inputs[key].name: FEED})


def by_c_api(folder, key):
    return Serving(folder).run("serving_default", {key: FEED})


def by_cli(folder, key):
    given, out = folder + ".npy", folder + ".results"
    np.save(given, FEED)
    command = [sys.executable, "-c", "from tensorflow.python.tools.saved_model_cli import main; main()", "run"]
    command += ["--dir", folder, "--tag_set", "serve", "--signature_def", "serving_default"]
    done = subprocess.run(
        [*command, "--inputs", "%s=%s" % (key, given), "--outdir", out, "--overwrite"],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return {name[: -len(".npy")]: np.load(os.path.join(out, name)) for name in os.listdir(out)}


LOADERS = [by_session, by_c_api, by_cli, by_load]


@pytest.mark.parametrize("load", LOADERS)
def test_each_loader_gives_the_numbers_of_the_graph(served, load):
    folder, conversion = served
    call = conversion.call
    (key,), outputs = list(call.inputs), call.outputs
    wanted = run(conversion.graph, {conversion.inputs[0].name: FEED}, *outputs.values())
    given = load(folder, key)
    assert set(given) == set(outputs)
    for name, value in zip(outputs, wanted):
        np.testing.assert_allclose(given[name], value, rtol=1e-5, atol=1e-6)
    assert any(node.op.startswith("Quantized") for node in conversion.graph.node)


def keras_layer():
    """What Keras calls a SavedModel as a layer."""
    if hasattr(tf.keras.layers, "TFSMLayer"):
        return tf.keras.layers.TFSMLayer
    from keras.src.export.export_lib import ReloadedLayer  # the same, before it had a public name

    return ReloadedLayer


@pytest.mark.skipif(order(tf.__version__) < order("2.13"), reason="Keras has such a layer since 2.13")
@pytest.mark.parametrize("endpoint", ["serving_default", "serve"])
def test_as_a_layer_of_keras(served, endpoint):
    folder, conversion = served
    wanted = run(conversion.graph, {conversion.inputs[0].name: FEED}, *conversion.call.outputs.values())[0]
    with context.eager_mode():
        if endpoint == "serve" and not hasattr(tf.saved_model.load(folder), "serve"):
            assert conversion.call.form == "saved_model"  # which had nothing of the kind
            return
        x = tf.keras.layers.Input(FEED.shape[1:])
        model = tf.keras.Model(x, keras_layer()(folder, call_endpoint=endpoint)(x))
        given = model(FEED)
        if endpoint == "serving_default":
            (given,) = given.values()
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)
