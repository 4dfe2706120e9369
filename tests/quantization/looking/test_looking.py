"""``evaluate``, ``benchmark`` and ``compare`` on graphs: what they tell, and with which exit code they end."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.graph.io import read_graph, write_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.looking import differences
from intel_quantization.looking.differences import common_tensors, faults, op_differences
from tests.quantization.builders import batch, bias, build, conv_block, convert, dense, image
from tests.quantization.test_main import by_name, run
from tests.quantization.tune.sensitive_nets import write

PLAIN = {"schema": 1, "in_graph": "pretrained_model/net.pb", "out_graph": "output/out.pb"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """With net.pb, good.pb and bad.pb, INT8 graphs of it, renamed.pb, whose tensors have other names, and data."""
    root = tmp_path_factory.mktemp("workspace")
    for name in ("pretrained_model", "output", "dataset"):
        (root / name).mkdir()
    graph = write(root / "dataset")
    models = root / "pretrained_model"
    (root / "dataset" / "net.pb").rename(models / "net.pb")
    with np.load(root / "dataset" / "data.npz") as arrays:
        values = arrays["input"][:40]
    for name, excluded in (("good", ["conv2", "conv4", "conv6"]), ("bad", [])):
        GraphConverter(
            graph,
            str(models / f"{name}.pb"),
            excluded_nodes=excluded,
            per_channel=True,
            calibration_data=values,
            equalize=False,
            adaptive_rounding=False,
        ).convert()
    GraphConverter(graph, f"{models}/served/", calibration_data=values).convert()
    renamed = tf.compat.v1.GraphDef()
    renamed.CopyFrom(graph)
    for node in renamed.node:
        node.name = "x/" + node.name
        for number, name in enumerate(node.input):
            node.input[number] = "x/" + name
    write_graph(renamed, str(models / "renamed.pb"))
    return root


def look(workspace, task, *others, data=True, **changes):
    """(exit status, the event looked, log)"""
    job = {**PLAIN, "task": task, "threads": 1, **changes}
    if others:
        name = others[0] if others[0] == "served" else f"{others[0]}.pb"
        job["other_graph"] = f"pretrained_model/{name}"
    if data:
        job.update(data_location="dataset", evaluate=120)
    status, events, log = run(workspace, "--job", json.dumps(job))
    return status, (by_name(events, "looked") or by_name(events, "error"))[0], log


def test_evaluate_one_graph(workspace):
    status, looked, log = look(workspace, "evaluate")
    assert status == 0, log
    (first, *_rest) = looked["lines"]
    assert first.startswith("top-1 ")
    assert first.endswith("on 120 rows")
    assert looked["verdict"] is None


@pytest.mark.parametrize(("other", "limit", "word", "code"), [("good", 25, "held", 0), ("bad", 8, "broken", 12)])
def test_evaluate_two(workspace, other, limit, word, code):
    status, looked, log = look(workspace, "evaluate", other, max_drop=limit)
    assert status == code, log
    assert looked["verdict"]["word"] == word
    assert looked["graphs"] == ["net.pb", f"{other}.pb"]
    assert f"net.pb -> {other}.pb: the second" in looked["lines"][0]
    assert looked["accuracy"]["measures"][0]["samples"] == 120


def test_a_graph_whose_tensors_have_other_names(workspace):
    status, looked, log = look(workspace, "evaluate", "renamed")
    assert status == 0, log
    assert "same answer for 100.00 % of 120 rows" in looked["lines"]


@pytest.mark.parametrize("task", ["evaluate", "benchmark", "compare"])
def test_a_saved_model_beside_a_frozen_graph(workspace, task):
    status, looked, log = look(workspace, task, "served")
    assert status == 0, log
    assert looked["graphs"] == ["net.pb", "served"]
    if task == "compare":
        assert "  Conv2D: 8 -> 0" in looked["lines"]
        assert any("common tensors on" in line and not line.startswith("0 ") for line in looked["lines"])


def test_a_saved_model_alone(workspace):
    status, looked, log = look(workspace, "evaluate", in_graph="pretrained_model/served")
    assert status == 0, log
    assert looked["lines"][0].startswith("top-1 ")


def test_nothing_to_judge_by_is_an_error(workspace, tmp_path):
    for name in ("pretrained_model", "output", "dataset"):
        (tmp_path / name).mkdir()
    (tmp_path / "pretrained_model" / "net.pb").write_bytes((workspace / "pretrained_model" / "net.pb").read_bytes())
    np.save(tmp_path / "dataset" / "x.npy", np.zeros((8, 12, 12, 4), np.float32))
    status, error, _log = look(tmp_path, "evaluate")
    assert (status, error["kind"]) == (3, "bad_input")
    assert "nothing to judge by" in error["message"]


@pytest.mark.parametrize("data", [True, False])
def test_benchmark(workspace, data):
    status, looked, log = look(workspace, "benchmark", "good", data=data)
    assert status == 0, log
    text = "\n".join(looked["lines"])
    assert "net.pb: batch 1: " in text
    assert "good.pb: batch 16: " in text
    assert "batch 16: good.pb is " in text
    assert "MB of memory" in text
    assert "TensorFlow" in looked["lines"][0]


def test_compare(workspace):
    status, looked, log = look(workspace, "compare", "bad")
    assert status == 0, log
    lines = looked["lines"]
    assert "  Conv2D: 8 -> 0" in lines
    worst = [line for line in lines if " dB  " in line]
    assert worst
    assert [float(line.split()[0]) for line in worst] == sorted(float(line.split()[0]) for line in worst)
    assert any("top-1" in line for line in lines)


def test_compare_without_data_tells_the_ops(workspace):
    status, looked, log = look(workspace, "compare", "bad", data=False)
    assert status == 0, log
    assert "  Conv2D: 8 -> 0" in looked["lines"]
    assert looked["accuracy"] is None
    status, error, _log = look(workspace, "compare")
    assert (status, error["message"]) == (3, "there is only one graph to compare")


def test_tasks_are_checked(workspace):
    status, error, _log = look(workspace, "guess")
    assert status == 3
    assert "task" in error["message"]


def small():
    x = conv_block(image(), "a")
    bias(dense(tf.reduce_mean(conv_block(x, "b"), [1, 2], name="mean"), 10), "out")


def test_what_is_common_and_what_is_not():
    graph = build(small)
    int8 = convert(graph, per_channel=True).graph
    differences = {op: (before, after) for op, before, after in op_differences(graph, int8)}
    assert differences["Conv2D"] == (2, 0)
    names = [name for name, _other, _op in common_tensors(graph, int8)]
    assert "b/out:0" in names
    assert "mean:0" in names
    assert not any(name.startswith("input") for name in names)
    assert op_differences(graph, graph) == []


def test_what_is_odd_is_told(monkeypatch):
    monkeypatch.setattr(differences, "range_faults", lambda _graph: ())
    graph = convert(build(small), [batch(build(small), seed=1)], per_channel=True).graph
    assert faults(graph) == []
    graph.node.add(op="Requantize", name="left")
    product = graph.node.add(op="QuantizedMatMulWithBiasAndDequantize", name="product")
    texts = faults(graph)
    assert any("1 x Requantize" in text for text in texts)
    assert any("MIN_FIRST" in text and "product" in text for text in texts)
    product.attr["input_quant_mode"].s = b"SCALED"
    assert not any("MIN_FIRST" in text for text in faults(graph))


def test_a_range_that_is_another_tensors_is_told(workspace):
    graph = read_graph(str(workspace / "pretrained_model" / "bad.pb"))
    assert faults(graph) == []
    layers = [node for node in graph.node if node.op.startswith("QuantizedConv2D")]
    layers[2].input[4] = layers[5].input[4]  # the largest value of what it reads
    (told,) = faults(graph)
    assert told.startswith("ranges: ")
    assert layers[2].name in told


def test_the_recipe_of_a_graph(workspace):
    status, looked, log = look(workspace, "benchmark", data=False, recipe=True)
    assert status == 0, log
    lines = looked["lines"]
    assert any(line.startswith("  1 x 1, 1, batch 1: ") for line in lines)
    assert any(line.startswith("most samples: 1 x 1") for line in lines)
    assert "  export TF_NUM_INTRAOP_THREADS=1" in lines
    assert any(line.startswith("  taskset -c ") for line in lines)
