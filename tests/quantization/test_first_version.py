"""Calls as scripts for intel-quantization 1.1 make them."""

from __future__ import annotations

import inspect
import os

import numpy as np
import pytest
import tensorflow as tf

import intel_quantization.graph_converter as converter
from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import read_graph, write_graph
from intel_quantization.graph_files import default_output
from tests.quantization.builders import batch, build, conv_block, dense, image, int8_ops, norm, ops

pytestmark = pytest.mark.tensorflow

# GraphConverter.__init__ of 1.1: names and defaults, in its order
FIRST = [
    ("input_graph", inspect.Parameter.empty),
    ("output_graph", inspect.Parameter.empty),
    ("inputs", []),
    ("outputs", []),
    ("excluded_ops", []),
    ("excluded_nodes", []),
    ("per_channel", False),
    ("input_graph_is_binary", True),
    ("algo", "DIRECT"),
]


ROUNDING = 1e-6
"""Of what is computed, relative to the tensor's largest value: an array is fed two samples at a time and the rest
alone, and kernels add up products in an order that depends on the batch's size (float32 keeps 6e-8)."""


def net():
    x = tf.nn.relu(norm(conv_block(image(), "c", activation=None), "norm"))
    tf.nn.softmax(dense(tf.reduce_mean(x, [1, 2]), name="logits"), name="predict")


@pytest.fixture(name="path")
def _path(tmp_path):
    path = str(tmp_path / "in.pb")
    write_graph(build(net), path)
    return path


def feeds():
    return [batch(build(net), seed=1)]


def test_the_arguments_of_the_constructor():
    given = list(inspect.signature(converter.GraphConverter.__init__).parameters.values())[1:]
    for parameter, (name, default) in zip(given, FIRST):
        assert parameter.name == name
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        if default is not inspect.Parameter.empty:
            assert list(parameter.default) == default if default == [] else parameter.default == default
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in given[len(FIRST) :])


def test_all_arguments_by_position(path, tmp_path):
    out = str(tmp_path / "out.pb")
    c = converter.GraphConverter(path, out, ["input"], ["predict"], ["MatMul"], ["c"], True, True, "DIRECT")
    assert (c.input_graph, c.output_graph, list(c.inputs), list(c.outputs)) == (path, out, ["input"], ["predict"])
    assert (list(c.excluded_ops), list(c.excluded_nodes), c.per_channel, c.algo) == (["MatMul"], ["c"], True, "DIRECT")
    assert c.gen_calib_data_cmds is None
    assert c.debug is False


def test_the_default_file_name(path):
    c = converter.GraphConverter(path, None, ["input"], ["predict"])
    c.calibration_data = feeds()
    result = c.covert()  # as the quick start spelt it
    out = os.path.join(os.path.dirname(path), "int8_final_fused_graph.pb")
    assert result.output_graph == c.output_graph == out
    assert read_graph(out) == result.graph
    assert sorted(os.listdir(os.path.dirname(path))) == ["in.pb", "int8_final_fused_graph.pb"]


def test_no_output_is_no_file(path):
    result = converter.GraphConverter(path, calibration_data=feeds()).convert()
    assert result.output_graph is None
    assert os.listdir(os.path.dirname(path)) == ["in.pb"]


def test_the_default_file_where_the_input_cannot_be_written_beside(path, tmp_path, monkeypatch):
    (tmp_path / "output").mkdir()
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != str(tmp_path))
    assert default_output(path) == str(tmp_path / "output" / "int8_final_fused_graph.pb")
    monkeypatch.setattr(os, "access", lambda folder, mode: folder == os.getcwd())
    assert default_output(path) == os.path.join(os.getcwd(), "int8_final_fused_graph.pb")


def test_debug_keeps_the_graphs_between(path):
    c = converter.GraphConverter(path, None, ["input"], ["predict"])
    c.debug = True
    c.calibration_data = feeds()
    result = c.convert()
    folder = os.path.dirname(path)
    assert read_graph(os.path.join(folder, "fp32_optimized_graph.pb")) == result.fp32_graph


def test_quantize_alone_does_not_optimize(path, tmp_path):
    c = converter.GraphConverter(path, str(tmp_path / "q.pb"), ["input"], ["predict"])
    c.calibration_data = feeds()
    result = c.quantize()
    assert "FusedBatchNormV3" in ops(result.graph)
    assert sum(int8_ops(result.graph).values())
    optimized = str(tmp_path / "optimized.pb")
    c.convert()
    write_graph(c.convert().fp32_graph, optimized)
    again = converter.GraphConverter(optimized, str(tmp_path / "again.pb"), ["input"], ["predict"])
    again.calibration_data = feeds()
    assert again.quantize().graph == c.convert().graph


def test_errors_are_value_errors(path, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        converter.GraphConverter(str(tmp_path / "none.pb"), None, ["input"], ["predict"])
    with pytest.raises(ValueError, match="directory"):
        converter.GraphConverter(path, str(tmp_path / "none" / "out.pb"), ["input"], ["predict"])
    with pytest.raises(ValueError, match="calibration data") as caught:
        converter.GraphConverter(path, None, ["input"], ["predict"]).convert()
    assert isinstance(caught.value, BadInputError)
    assert "gen_calib_data_cmds" in caught.value.remedy


def test_a_text_graph(path, tmp_path):
    from google.protobuf import text_format

    (tmp_path / "text.pb").write_text(text_format.MessageToString(read_graph(path)))
    c = converter.GraphConverter(str(tmp_path / "text.pb"), None, ["input"], ["predict"], [], [], False, False)
    c.calibration_data = feeds()
    assert int8_ops(c.convert().graph)


@pytest.mark.parametrize(
    "data",
    [
        lambda feed: feed,
        lambda feed: [feed],
        lambda feed: iter([feed]),
        lambda feed: feed["input:0"],
        lambda feed: [feed["input:0"]],
        lambda feed: {"input": feed["input:0"].astype(np.float64)},
        lambda feed: lambda: [feed],
        lambda feed: lambda: feed["input:0"],
    ],
)
def test_forms_of_calibration_data(path, data):
    feed = feeds()[0]
    wanted = converter.GraphConverter(path, calibration_data=[feed]).convert()
    given = converter.GraphConverter(path, calibration_data=data(feed)).convert()
    assert given.statistics.samples == wanted.statistics.samples == 3
    assert given.statistics.tensors.keys() == wanted.statistics.tensors.keys()
    for name, item in given.statistics.tensors.items():
        other = wanted.statistics.tensors[name]
        assert (item.count, item.shape) == (other.count, other.shape), name
        largest = max(-other.minimum, other.maximum)
        tolerance = 0 if name == "input" else ROUNDING * largest
        assert (item.minimum, item.maximum) == pytest.approx((other.minimum, other.maximum), rel=0, abs=tolerance), name
