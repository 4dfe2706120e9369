"""What a report takes out of a conversion: the picture of the graph, and each tensor's histogram with its range."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.calibration.statistics import TensorStatistics, histogram_of
from intel_quantization.report import picture
from intel_quantization.report.model_explorer import node_data
from intel_quantization.report.picture import graph_picture
from intel_quantization.report.ranges import BARS, bars, tensor_ranges
from tests.quantization.blame.broken_nets import again, converted


@pytest.fixture(scope="module")
def made():
    """A Conversion."""
    return again(converted())[0]


def test_a_layer_is_one_box(made):
    layers = [{"node": "second", "local_db": 40.123456, "accumulated_db": 30.0}]
    (int8,) = [layer.node for layer in made.layers if layer.group.linear == "second"]
    times = {"fp32": {"second": 1.0, "second/out": 0.5}, "int8": {int8: 0.25}}
    found = graph_picture(made, layers, times)
    boxes = {box["node"]: box for box in found["boxes"]}
    assert boxes["second"]["more"] == 2
    assert boxes["second"]["precision"] == "int8"
    assert (boxes["second"]["local_db"], boxes["second"]["accumulated_db"]) == (40.1235, 30.0)
    assert (boxes["second"]["fp32_ms"], boxes["second"]["int8_ms"]) == (1.5, 0.25)
    assert boxes["first"]["local_db"] is None
    assert boxes["mean"]["precision"] == "fp32"
    assert boxes["join"]["precision"] == "int8"
    assert "second/bias" not in boxes
    names = [box["node"] for box in found["boxes"]]
    edges = {(names[edge["from"]], names[edge["to"]]) for edge in found["edges"]}
    assert {("first", "second"), ("second", "left"), ("second", "right"), ("left", "join")} <= edges
    assert all(boxes[source]["y"] < boxes[reader]["y"] for source, reader in edges)


def test_of_a_graph_that_is_too_large_there_is_no_picture(made, monkeypatch):
    monkeypatch.setattr(picture, "MOST_BOXES", 3)
    assert graph_picture(made, [], {}) is None


def test_each_int8_tensor_has_its_range(made):
    found = {each["tensor"]: each for each in tensor_ranges(made)}
    second = found["second/out"]
    assert second["readers"] == ["left", "right"]
    assert second["unsigned"]
    assert second["low"] == 0.0
    assert second["high"] == pytest.approx(made.statistics.tensors["second/out"].maximum)
    assert second["maximum"] == made.statistics.tensors["second/out"].maximum
    seen = found["input"] if "input" in found else found["input:0"]
    # the signed input is lifted: its range is told as that of the values themselves
    assert seen["low"] < 0 < seen["high"]
    assert seen["low"] <= seen["minimum"] + 0.05
    assert seen["high"] >= seen["maximum"] - 0.05


def test_the_bars_are_the_histogram_of_the_values():
    values = np.concatenate([np.random.RandomState(0).normal(1, 1, 20000), [-4.0, 6.0]]).astype(np.float32)
    seen = TensorStatistics(
        count=len(values), minimum=float(values.min()), maximum=float(values.max()), histogram=histogram_of(values)
    )
    found = bars(seen)
    assert len(found) == BARS
    assert sum(found) == pytest.approx(len(values), abs=BARS)
    wanted = np.histogram(values, BARS, (seen.minimum, seen.maximum))[0]
    assert np.abs(np.cumsum(found) - np.cumsum(wanted)).max() < 0.02 * len(values)  # bins are an eighth of an octave
    assert bars(TensorStatistics(count=1, minimum=2.0, maximum=2.0)) == []


def test_the_overlay_names_layers_as_both_graphs_do(made):
    layers = [{"node": "second", "accumulated_db": 30.126}]
    found = node_data(made, {"layers": layers})
    (int8,) = [layer.node for layer in made.layers if layer.group.linear == "second"]
    assert found["results"] == {"second": {"value": 30.13}, int8: {"value": 30.13}}
    assert int8 in {node.name for node in made.graph.node}
    assert [stop["stop"] for stop in found["gradient"]] == [0, 1]
    assert node_data(made, None) is None
    assert node_data(made, {"layers": []}) is None
