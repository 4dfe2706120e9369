"""Tuning as a job does it: a network with three sensitive layers gets back just those."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization import child
from intel_quantization.graph.io import read_graph
from intel_quantization.tune import trial
from intel_quantization.tune import tune as tuning
from intel_quantization.tune.search import MOST
from tests.quantization.test_main import by_name, run
from tests.quantization.tune.sensitive_nets import SENSITIVE, write

PLAIN = {"equalize": False, "adaptive_rounding": False, "samples": 40, "evaluate": 200, "threads": 1, "batch_size": 20}


def workspace(root, **options):
    for name in ("pretrained_model", "output", "dataset"):
        (root / name).mkdir()
    write(root / "dataset", **options)
    (root / "dataset" / "net.pb").rename(root / "pretrained_model" / "net.pb")
    return root


def job(**changes):
    paths = {"in_graph": "pretrained_model/net.pb", "out_graph": "output/net_int8.pb", "data_location": "dataset"}
    return json.dumps({**paths, "schema": 1, **PLAIN, **changes})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """(workspace, exit status, events, log)."""
    root = workspace(tmp_path_factory.mktemp("workspace"))
    return (root, *run(root, "--job", job(tune=True, max_drop=2)))


def report(root):
    return json.loads((root / "output" / "net_int8.report.json").read_text())


def test_just_the_sensitive_layers_go_back(tuned):
    root, status, events, log = tuned
    assert status == 0, log
    tuning = report(root)["tuning"]
    assert tuning["met"]
    assert set(tuning["excluded_nodes"]) == set(SENSITIVE)
    assert len(tuning["evaluations"]) <= MOST
    assert tuning["before"]["points"] > 10
    (result,) = by_name(events, "result")
    assert result["tuning"]["excluded_nodes"] == tuning["excluded_nodes"]
    assert result["accuracy"]["measures"][0]["points"] <= 2
    assert result["verdict"]["word"] in ("held", "undecided")


def test_the_graph_is_that_of_the_answer(tuned):
    root = tuned[0]
    graph = read_graph(str(root / "output" / "net_int8.pb"))
    ops = {node.name: node.op for node in graph.node}
    assert all(ops[name] == "Conv2D" for name in SENSITIVE)
    assert sum(op.startswith("QuantizedConv2D") for op in ops.values()) == 8 - len(SENSITIVE)
    rows = {row["op"]: row for row in report(root)["ops"]}
    assert (rows["Conv2D"]["int8"], rows["Conv2D"]["fp32"]) == (5, 3)


def test_what_it_takes_is_told_first_and_progress_all_along(tuned):
    _, _, events, _ = tuned
    texts = [event["message"] for event in by_name(events, "log")]
    assert any(f"at most {MOST} evaluations" in text for text in texts)
    assert any("--excluded_nodes" in text and all(name in text for name in SENSITIVE) for text in texts)
    progress = [event for event in by_name(events, "progress") if event["stage"] == "tune"]
    assert [event["done"] for event in progress] == list(range(1, len(progress) + 1))
    assert {event["total"] for event in progress} == {MOST}
    assert by_name(events, "stage")[-1]["name"] == "tune"


def test_the_answer_typed_gives_the_same_graph(tuned):
    root = tuned[0]
    first = (root / "output" / "net_int8.pb").read_bytes()
    excluded = report(root)["tuning"]["excluded_nodes"]
    status, _events, log = run(root, "--job", job(excluded_nodes=excluded, max_drop=2))
    assert status == 0, log
    assert (root / "output" / "net_int8.pb").read_bytes() == first


def test_where_nothing_is_lost_nothing_is_done(tmp_path):
    root = workspace(tmp_path, sensitive=())
    status, events, log = run(root, "--job", job(tune=True, max_drop=20))
    assert status == 0, log
    assert report(root)["tuning"] is None
    assert any("nothing to do" in event["message"] for event in by_name(events, "log"))


def test_a_trial_that_dies_is_a_failure_and_no_more(tmp_path, monkeypatch):
    """As a bad INT8 graph may end TensorFlow: the process is gone, and the search goes on."""
    monkeypatch.setattr(child.subprocess, "call", lambda *_words, **_more: -6)
    conversion = type("Made", (), {"graph": tf.compat.v1.GraphDef()})()
    outcome = tuning._judge(str(tmp_path), conversion)
    assert "SIGABRT" in outcome.failed
    assert os.path.exists(tmp_path / trial.INT8)


def test_without_labels_the_answers_are_judged(tmp_path):
    root = workspace(tmp_path)
    data = root / "dataset" / "data.npz"
    with np.load(data) as arrays:
        values = arrays["input"]
    np.savez(data, input=values)
    status, _events, log = run(root, "--job", job(tune=True, max_drop=2))
    assert status == 0, log
    tuning = report(root)["tuning"]
    assert tuning["metric"] == "answers"
    assert set(tuning["excluded_nodes"]) >= set(SENSITIVE)
