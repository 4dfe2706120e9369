"""The helpers that 1.1 had in intel_quantization.util."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from intel_quantization.util import read_graph, split_shared_inputs, write_graph
from tests.quantization.builders import assert_same_numbers, build, conv_block, image, node

pytestmark = pytest.mark.tensorflow


def test_reading_and_writing(tmp_path):
    graph_def = build(lambda: conv_block(image(), "c"))
    write_graph(graph_def, str(tmp_path / "g.pb"))
    (tmp_path / "text").write_text(text_format.MessageToString(graph_def))
    assert read_graph(str(tmp_path / "g.pb")) == graph_def
    assert read_graph(str(tmp_path / "text"), False) == graph_def
    with pytest.raises(ValueError, match=r"none\.pb"):
        read_graph(str(tmp_path / "none.pb"))
    with pytest.raises(ValueError, match="no GraphDef"):
        write_graph("graph", str(tmp_path / "h.pb"))
    with pytest.raises(ValueError, match="does not exist"):
        write_graph(graph_def, str(tmp_path / "nowhere" / "h.pb"))


def test_shared_constants_are_split(tmp_path):
    def net():
        weights = tf.constant(np.ones((3, 3, 4, 4), np.float32), name="w")
        tf.constant(1.0, name="w_2")
        x = image()
        for name in ("a", "b", "c"):
            x = tf.nn.conv2d(x, weights, 1, "SAME", name=name)
        tf.identity(x, name="out")

    graph_def = build(net)
    path = str(tmp_path / "g.pb")
    write_graph(graph_def, path)
    assert split_shared_inputs(path) == path
    new = split_shared_inputs(path, ["Conv2D"])
    assert os.path.basename(new) == "frozen_inference_graph_rewrite.pb"
    after = read_graph(new)
    assert [node(after, name).input[1] for name in ("a", "b", "c")] == ["w", "w_3", "w_4"]
    assert_same_numbers(graph_def, after, ["out"])
