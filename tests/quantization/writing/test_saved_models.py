"""The SavedModel of an INT8 graph: the signatures, names, types and shapes of what was read; the same bytes twice."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.reading.load import load_graph
from intel_quantization.reading.saved_model import INTERNAL, read_meta_graph
from tests.quantization.builders import ops, run
from tests.quantization.writing import models
from tests.quantization.writing.models import FEED

pytestmark = pytest.mark.tensorflow


def signatures(folder):
    """Name -> (method, inputs, outputs), each of the latter: key -> (type, shape)."""
    found = {}
    for name, definition in read_meta_graph(str(folder)).signature_def.items():
        if name not in INTERNAL:
            sides = [
                {key: (info.dtype, str(info.tensor_shape)) for key, info in side.items()}
                for side in (definition.inputs, definition.outputs)
            ]
            found[name] = (definition.method_name, *sides)
    return found


def call(folder, name, **feed):
    with context.eager_mode():
        loaded = tf.saved_model.load(str(folder))
        given = {key: tf.constant(value) for key, value in feed.items()}
        return {key: value.numpy() for key, value in loaded.signatures[name](**given).items()}


def test_signatures_are_those_of_the_input(tmp_path):
    source = models.several_signatures(str(tmp_path / "in"))
    result = models.convert(source, tmp_path / "out")
    assert signatures(tmp_path / "out") == signatures(source)
    assert result.notes == ("kept in FP32, with their variables: the signatures features",)
    assert not (tmp_path / "out" / "assets").exists()


def test_other_signatures_compute_what_they_did(tmp_path):
    source = models.several_signatures(str(tmp_path / "in"))
    models.convert(source, tmp_path / "out")
    for name in ("serving_default", "alias"):
        given, wanted = (call(folder, name, photo=FEED)["scores"] for folder in (tmp_path / "out", source))
        assert 0 < np.abs(given - wanted).max() < 0.05 * np.abs(wanted).max()  # INT8
    given, wanted = (call(folder, "features", photo=FEED) for folder in (tmp_path / "out", source))
    np.testing.assert_array_equal(given["maps"], wanted["maps"])
    np.testing.assert_array_equal(given["twice"], wanted["twice"])


def test_another_signature_may_become_int8(tmp_path):
    source = models.several_signatures(str(tmp_path / "in"))
    result = models.convert(source, tmp_path / "out", signature="features")
    assert signatures(tmp_path / "out") == signatures(source)
    assert result.notes == ("kept in FP32, with their variables: the signatures alias, serving_default",)
    wanted = run(result.graph, {result.inputs[0].name: FEED}, result.call.outputs["maps"])[0]
    np.testing.assert_allclose(call(tmp_path / "out", "features", photo=FEED)["maps"], wanted, rtol=1e-5)


def test_without_others_there_are_no_variables(tmp_path):
    models.keras_model(str(tmp_path / "m.h5"))
    models.convert(str(tmp_path / "m.h5"), tmp_path / "out")
    assert set(models.files_of(tmp_path / "out")) == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    }
    assert tf.train.list_variables(str(tmp_path / "out" / "variables" / "variables")) == [
        ("_CHECKPOINTABLE_OBJECT_GRAPH", [])
    ]


def test_assets_are_kept(tmp_path):
    source = models.several_signatures(str(tmp_path / "in"), str(tmp_path / "words.txt"))
    os.makedirs(os.path.join(source, "assets.extra", "deep"))
    (tmp_path / "in" / "assets.extra" / "deep" / "tf_serving_warmup_requests").write_bytes(b"warm")
    models.convert(source, tmp_path / "out")
    os.rename(source, source + ".gone")
    os.unlink(str(tmp_path / "words.txt"))
    assert signatures(tmp_path / "out") == signatures(source + ".gone")
    files = models.files_of(tmp_path / "out")
    assert files["assets/words.txt"].decode().split() == models.WORDS
    assert files["assets.extra/deep/tf_serving_warmup_requests"] == b"warm"
    scores = call(tmp_path / "out", "features", photo=FEED)["maps"].mean((1, 2))
    words = [models.WORDS[index].encode() for index in scores.argmax(-1)]
    assert list(call(tmp_path / "out", "words", photo=FEED)["word"]) == words


def test_a_model_of_tensorflow_1_keeps_its_method_and_its_shapes(tmp_path):
    source = models.first_kind(str(tmp_path / "in"))
    models.convert(source, tmp_path / "out")
    assert signatures(tmp_path / "out") == signatures(source)
    assert signatures(source)["serving_default"][0] == "tensorflow/serving/classify"
    np.testing.assert_array_equal(call(tmp_path / "out", "raw", images=FEED)["maps"], FEED)


def test_a_frozen_graph_gets_a_signature_of_its_nodes_names(tmp_path):
    models.convert(models.frozen(), tmp_path / "out")
    method, inputs, outputs = signatures(tmp_path / "out")["serving_default"]
    assert (method, list(inputs), list(outputs)) == ("tensorflow/serving/predict", ["input"], ["predict"])
    shape = tf.TensorShape([None, 8]).as_proto()
    assert outputs["predict"] == (tf.float32.as_datatype_enum, str(shape))


@pytest.mark.parametrize("target", [None, "1.15"])
def test_the_same_bytes_whatever_ran_before(tmp_path, target):
    source = models.several_signatures(str(tmp_path / "in"))
    found = []
    for number in range(2):
        models.convert(source, tmp_path / ("out%d" % number), target_tensorflow=target)
        found.append(models.files_of(tmp_path / ("out%d" % number)))
    assert found[0] == found[1]


def test_the_same_bytes_in_another_process(tmp_path):
    models.keras_model(str(tmp_path / "m.h5"))
    models.convert(str(tmp_path / "m.h5"), tmp_path / "here")
    script = "import sys; from tests.quantization.writing.models import convert; convert(*sys.argv[1:])"
    command = [sys.executable, "-c", script, str(tmp_path / "m.h5"), str(tmp_path / "there")]
    subprocess.run(command, env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)), check=True)
    assert models.files_of(tmp_path / "here") == models.files_of(tmp_path / "there")


def test_for_tensorflow_1_it_has_no_functions_nor_variables(tmp_path):
    source = models.several_signatures(str(tmp_path / "in"))
    result = models.convert(source, tmp_path / "out", target_tensorflow="1.15")
    assert set(models.files_of(tmp_path / "out")) == {"saved_model.pb"}
    meta = read_meta_graph(str(tmp_path / "out"))
    assert not meta.HasField("object_graph_def")
    assert not meta.graph_def.library.function
    (note,) = result.notes
    assert note == "the signatures features are lost: a SavedModel for TensorFlow 1 holds one graph, the INT8 one"
    kept = {name: text for name, text in signatures(source).items() if name != "features"}
    assert signatures(tmp_path / "out") == kept
    wanted = run(result.graph, {result.inputs[0].name: FEED}, result.call.outputs["scores"])[0]
    np.testing.assert_allclose(call(tmp_path / "out", "alias", photo=FEED)["scores"], wanted, rtol=1e-5)


def test_a_keras_model_is_called_as_before(tmp_path):
    model = models.keras_model(str(tmp_path / "m.h5"))
    models.convert(str(tmp_path / "m.h5"), tmp_path / "out")
    with context.eager_mode():
        loaded = tf.saved_model.load(str(tmp_path / "out"))
        wanted = model(FEED).numpy()
        for given in (loaded(FEED), loaded(FEED, training=False), loaded.serve(FEED)):
            np.testing.assert_allclose(given.numpy(), wanted, atol=0.05)


def test_several_inputs_and_outputs_in_keras_order(tmp_path):
    model = models.keras_pair(str(tmp_path / "m.h5"))
    more = np.linspace(0, 1, 32, dtype=np.float32).reshape(4, 8)
    data = [{"z:0": FEED, "a:0": more}]
    GraphConverter(str(tmp_path / "m.h5"), str(tmp_path / "out") + "/", calibration_data=data).convert()
    with context.eager_mode():
        loaded = tf.saved_model.load(str(tmp_path / "out"))
        for given, wanted in zip(loaded([FEED, more]), model([FEED, more])):
            assert given.shape == wanted.shape
            np.testing.assert_allclose(given.numpy(), wanted.numpy(), atol=0.1)


def test_what_is_written_is_read_again(tmp_path):
    source = models.several_signatures(str(tmp_path / "in"))
    result = models.convert(source, tmp_path / "out")
    loaded = load_graph(str(tmp_path / "out"))
    assert (loaded.form, list(loaded.call.inputs), list(loaded.call.outputs)) == ("saved_model", ["photo"], ["scores"])
    given = run(loaded.graph_def, {loaded.inputs[0].name: FEED}, loaded.outputs[0].name)[0]
    wanted = run(result.graph, {result.inputs[0].name: FEED}, result.outputs[0].name)[0]
    np.testing.assert_allclose(given, wanted, rtol=1e-5)
    counts = [ops(graph) for graph in (loaded.graph_def, result.graph)]
    int8 = [{op: count for op, count in each.items() if "Quantize" in op} for each in counts]
    assert int8[0] == int8[1] != {}


def test_names_that_no_argument_may_have(tmp_path):
    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="my/photo-1")])
        def serve(self, *args):
            weights = tf.constant(models.random("odd", (3, 3, 4, 8), 0.2))
            return {"sc/ores-1": tf.nn.relu(tf.nn.conv2d(args[0], weights, 1, "SAME"))}

    with context.eager_mode():
        module = Odd()
        tf.saved_model.save(module, str(tmp_path / "in"), signatures=module.serve)
    models.convert(str(tmp_path / "in"), tmp_path / "out")
    assert signatures(tmp_path / "out") == signatures(tmp_path / "in")


def test_an_older_one_is_replaced_and_nothing_else(tmp_path):
    graph = models.frozen()
    models.convert(graph, tmp_path / "out")
    before = models.files_of(tmp_path / "out")
    (tmp_path / "out" / "fingerprint.pb").write_bytes(b"old")
    models.convert(graph, tmp_path / "out")
    assert models.files_of(tmp_path / "out") == before
    (tmp_path / "out" / "notes.txt").write_bytes(b"mine")
    with pytest.raises(BadInputError, match=r"holds 'notes.txt', which is not part of a SavedModel"):
        models.convert(graph, tmp_path / "out")
    assert models.files_of(tmp_path / "out") == dict(before, **{"notes.txt": b"mine"})
    assert sorted(os.listdir(str(tmp_path))) == ["out"]
