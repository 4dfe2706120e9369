"""One entrance for every form of a graph: the same network gives the same numbers, whatever it is read from."""

from __future__ import annotations

import pytest
import tensorflow as tf
from google.protobuf import text_format

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import write_graph
from intel_quantization.reading.load import load_graph
from tests.quantization.builders import build, conv_block, image, v1

pytestmark = pytest.mark.tensorflow


@pytest.fixture(name="graph_def")
def _graph_def():
    return build(lambda: conv_block(image(), "c"))


def test_graphs(tmp_path, graph_def):
    write_graph(graph_def, str(tmp_path / "g.pb"))
    for name in ("g.pbtxt", "text"):
        (tmp_path / name).write_text(text_format.MessageToString(graph_def))
    found = [
        load_graph(graph_def),
        load_graph(str(tmp_path / "g.pb")),
        load_graph(str(tmp_path / "g.pbtxt")),
        load_graph(str(tmp_path / "text"), binary=False),
    ]
    assert [item.form for item in found] == ["graph", "graph", "text", "text"]
    for item in found:
        assert item.graph_def == graph_def
        assert [info.name for info in item.inputs + item.outputs] == ["input:0", "c/out:0"]
    assert load_graph(graph_def, outputs=["c"]).outputs[0].name == "c:0"


def test_names_of_a_signature_or_of_its_tensors(tmp_path):
    path = str(tmp_path / "saved")
    with tf.Graph().as_default(), v1.Session() as session:
        x = image()
        both = {"classes": tf.nn.relu(x, name="predict"), "more": tf.nn.elu(x, name="elu")}
        v1.saved_model.simple_save(session, path, {"images": x}, both)
    loaded = load_graph(path)
    assert (loaded.form, loaded.signature) == ("saved_model", "serving_default")
    assert [info.name for info in loaded.outputs] == ["predict:0", "elu:0"]
    for name in ("classes", "predict", "predict:0"):
        loaded = load_graph(path, ["images"], [name])
        assert [info.node for info in loaded.inputs + loaded.outputs] == ["input", "predict"]
    with pytest.raises(BadInputError, match="'owt' is not in"):
        load_graph(path, outputs=["owt"])


def test_what_is_refused(tmp_path, graph_def):
    with pytest.raises(BadInputError, match=r"folder without a saved_model\.pb") as caught:
        load_graph(str(tmp_path))
    assert ".pbtxt" in caught.value.remedy
    with pytest.raises(BadInputError, match="only a SavedModel has signatures"):
        load_graph(graph_def, signature="serving_default")
    (tmp_path / "weights.h5").write_text("no")
    with pytest.raises(BadInputError, match=r"weights\.h5 is no Keras file"):
        load_graph(str(tmp_path / "weights.h5"))
    variables = build(lambda: tf.add(image(), v1.get_variable("v", (4,), use_resource=False), name="out"))
    with pytest.raises(BadInputError, match="the graph is not frozen: node 'v'"):
        load_graph(variables)


def test_an_input_of_a_million_rows_and_columns(tmp_path, graph_def):
    """With the file and the node, before anything of it is made."""
    path = str(tmp_path / "g.pb")
    (placeholder,) = (node for node in graph_def.node if node.name == "input")
    for dim in placeholder.attr["shape"].shape.dim[1:3]:
        dim.size = 10**6
    write_graph(graph_def, path)
    match = r"g\.pb: the input input:0 is float32 \[\?,1000000,1000000,4\]; a batch has at most"
    with pytest.raises(BadInputError, match=match) as caught:
        load_graph(path)
    assert "--inputs" in caught.value.remedy
