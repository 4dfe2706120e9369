"""Calibration is kept under a hash of all that decides it, and what is taken is what calibrating would give."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.statistics_file import load_statistics, save_statistics
from intel_quantization.contract.outputs import KEPT_NAME
from intel_quantization.graph_files import GraphFiles
from intel_quantization.job_stages import kept as module
from intel_quantization.job_stages.kept import Kept
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.reading.load import load_graph
from intel_quantization.stages.calibrate import calibrate_on_feed
from intel_quantization.stages.optimize import optimize_graph
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def net():
    x = b.conv_block(b.image((None, 8, 8, 4)), "first", filters=8)
    tf.identity(b.conv_block(x, "second", "relu6", filters=8), "out")


@pytest.fixture(scope="module")
def graph_def():
    return b.build(net)


def optimized(graph_def, excluded=()):
    loaded = load_graph(graph_def, (), ("out",))
    return optimize_graph(loaded, (), excluded, Capabilities(None), GraphFiles(None, None))


@pytest.fixture
def feeds(graph_def):
    return [b.batch(graph_def, 4, seed=seed) for seed in (1, 2)]


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def kept(folder, graph, feeds):
    return Kept(folder, folder, graph, lambda: feeds)


def calibrated(folder, graph, feeds, options=None):
    mine = kept(folder, graph, feeds)
    assert mine.find() is None
    statistics = calibrate_on_feed(graph, feeds, threads=1, options=options)
    mine.keep(statistics)
    return statistics


def test_what_is_found_is_what_was_seen(folder, graph_def, feeds):
    graph = optimized(graph_def)
    statistics = calibrated(folder, graph, feeds, {"samples": 8})
    assert KEPT_NAME.fullmatch(os.listdir(folder)[0])
    found = kept(folder, graph, feeds).find({"samples": 8})
    assert found.origin == statistics.origin
    assert found.samples == 8
    assert set(found.sensitivities) == set(statistics.sensitivities) != set()
    assert sorted(found.patches) == sorted(statistics.patches) != []
    for name, patches in statistics.patches.items():
        assert np.array_equal(found.patches[name], patches)
    json_path = os.path.join(folder, "a.json")
    texts = []
    for each in (statistics, found):
        save_statistics(each, json_path)
        with open(json_path, "rb") as stream:
            texts.append(stream.read())
    assert texts[0] == texts[1]


def test_the_record_is_that_of_this_run(folder, graph_def, feeds):
    graph = optimized(graph_def)
    calibrated(folder, graph, feeds, {"preprocess": "tf"})
    assert kept(folder, graph, feeds).find({"preprocess": None}).origin["options"] == {"preprocess": None}


@pytest.mark.parametrize("change", ["data", "order", "batches", "graph", "excluded", "cpu"])
def test_of_anything_else_nothing_is_found(monkeypatch, folder, graph_def, feeds, change):
    graph = optimized(graph_def)
    calibrated(folder, graph, feeds)
    if change == "data":
        feeds[1]["input:0"] = feeds[1]["input:0"].copy()
        feeds[1]["input:0"][0, 0, 0, 0] += 1e-3
    elif change == "order":
        feeds = feeds[::-1]
    elif change == "batches":
        feeds = [{"input:0": np.concatenate([feed["input:0"] for feed in feeds])}]
    elif change == "graph":
        other = type(graph_def)()
        other.CopyFrom(graph_def)
        weights = next(node for node in other.node if node.op == "Const" and node.attr["value"].tensor.tensor_content)
        content = bytearray(weights.attr["value"].tensor.tensor_content)
        content[0] ^= 1
        weights.attr["value"].tensor.tensor_content = bytes(content)
        graph = optimized(other)
    elif change == "excluded":
        graph = optimized(graph_def, ("second",))
    else:
        monkeypatch.setattr(module, "cpu_features", lambda: ["of another machine"])
    assert kept(folder, graph, feeds).find() is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"{}"])
def test_a_damaged_file_is_made_anew(folder, graph_def, feeds, damage):
    graph = optimized(graph_def)
    calibrated(folder, graph, feeds)
    path = os.path.join(folder, os.listdir(folder)[0])
    with open(path, "wb") as stream:
        stream.write(damage)
    mine = kept(folder, graph, feeds)
    assert mine.find() is None
    mine.keep(calibrate_on_feed(graph, feeds, threads=1))
    assert load_statistics(path).samples == 8


def test_data_that_change_meanwhile_are_not_kept(folder, graph_def, feeds):
    graph = optimized(graph_def)
    calibrated(folder, graph, feeds)
    before = os.listdir(folder)
    mine = kept(folder, graph, feeds[:1])
    assert mine.find() is None
    mine.keep(calibrate_on_feed(graph, feeds[1:], threads=1))
    assert os.listdir(folder) == before


def test_where_nothing_is_kept_yet_the_data_are_read_once(folder, graph_def):
    def never():
        raise AssertionError

    assert Kept(folder, folder, optimized(graph_def), never).find() is None


def test_a_full_disk_is_no_failure(monkeypatch, folder, graph_def, feeds):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_statistics", full)
    calibrated(folder, optimized(graph_def), feeds)
