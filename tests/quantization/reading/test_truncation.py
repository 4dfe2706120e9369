"""Graphs that end between two nodes."""

from __future__ import annotations

import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError
from intel_quantization.reading.load import load_graph
from tests.quantization.builders import build, conv_block, image

pytestmark = pytest.mark.tensorflow


def net():
    x = image()
    for number in range(3):
        x = conv_block(x, "c%d" % number)
    tf.nn.softmax(x, name="out")


def written(tmp_path, graph_def, count, versions=False):
    """The graph as a download leaves it that ends behind so many nodes."""
    cut = tf.compat.v1.GraphDef()
    cut.node.extend(graph_def.node[:count])
    if versions:
        cut.versions.CopyFrom(graph_def.versions)
    path = str(tmp_path / "g.pb")
    with open(path, "wb") as stream:
        stream.write(cut.SerializeToString())
    return path


def test_cut_behind_a_constant(tmp_path):
    graph_def = build(net)
    names = [node.name for node in graph_def.node]
    for last in ("c1/weights", "c2/bias/values"):
        path = written(tmp_path, graph_def, names.index(last) + 1)
        with pytest.raises(BadInputError, match=r"g\.pb looks cut off behind node '%s'" % last) as caught:
            load_graph(path)
        assert "--outputs" in caught.value.remedy
        with pytest.raises(BadInputError, match="the output 'out' is not in the graph"):
            load_graph(path, outputs=["out"])


def test_behind_an_identity_of_a_constant(tmp_path):
    def variables():
        weights = tf.identity(tf.constant([1.0]), name="read")
        tf.identity(image((1,)) * weights, name="out")

    graph_def = build(variables)
    graph_def.node.sort(key=lambda node: node.name in ("mul", "out"))
    with pytest.raises(BadInputError, match="nothing reads 'read'"):
        load_graph(written(tmp_path, graph_def, len(graph_def.node) - 2))


def test_graphs_without_versions_are_taken_when_they_are_whole_or_named(tmp_path):
    graph_def = build(net)
    assert load_graph(written(tmp_path, graph_def, len(graph_def.node))).outputs[0].node == "out"
    path = written(tmp_path, graph_def, 8)
    assert load_graph(path, outputs=["c0/out"]).outputs[0].node == "c0/out"


def test_with_versions_leftovers_may_stay(tmp_path):
    graph_def = build(net)
    names = [node.name for node in graph_def.node]
    path = written(tmp_path, graph_def, names.index("c1/weights") + 1, versions=True)
    assert load_graph(path).outputs[0].node == "c0/out"
