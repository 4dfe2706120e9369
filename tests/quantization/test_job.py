"""The job is parsed strictly: what it says is meant, and what it does not know is refused."""

from __future__ import annotations

import json

import pytest

from intel_quantization import job as jobs
from intel_quantization.errors import BadInputError

SMALLEST = {"schema": 1, "in_graph": "pretrained_model/in.pb", "out_graph": "output/in_int8.pb"}


def parse(**changes):
    return jobs.parse(json.dumps(dict(SMALLEST, **changes)))


def test_smallest_job_has_the_defaults():
    job = parse()
    assert job.per_channel is True
    assert job.intermediate is False
    assert (job.samples, job.preprocess, job.inputs) == (None, None, ())
    assert job.stem == "in_int8"


def test_every_key_of_the_contract_is_taken():
    job = parse(
        data_location="dataset",
        models_zoo="models_zoo",
        models_source_dir=None,
        model_name="resnet50",
        inputs=["a"],
        outputs=["b:1"],
        per_channel=False,
        excluded_ops=["MatMul"],
        excluded_nodes=["n"],
        allow_op=["ReadFile"],
        callback=None,
        samples=10,
        batch_size=2,
        preprocess="vgg",
        evaluate=0,
        seed=1,
        algo="KL",
        target_tensorflow="1.15",
        data_function="data_function/feed.py:batches",
        labels="labels/l.csv",
        intermediate=True,
        threads=4,
    )
    assert job.outputs == ("b:1",)
    assert job.allow_op == ("ReadFile",)
    assert job.target_tensorflow == "1.15"
    assert job.evaluate == 0
    assert job.threads == 4


def test_preprocessing_in_numbers():
    job = parse(mean=[1, 2, 3], std=[4.5], channel_order="bgr", resize="pad:114")
    assert (job.mean, job.std, job.scale) == ((1.0, 2.0, 3.0), (4.5,), None)
    assert (job.channel_order, job.resize) == ("bgr", "pad:114")


def test_the_stem_keeps_other_dots():
    assert parse(out_graph="output/v1.5.pb").stem == "v1.5"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"schema": 2}, "schema"),
        ({"sampels": 3}, "sampels"),
        ({"samples": 0}, "samples"),
        ({"samples": True}, "samples"),
        ({"samples": "3"}, "samples"),
        ({"evaluate": -1}, "evaluate"),
        ({"per_channel": "false"}, "per_channel"),
        ({"per_channel": None}, "per_channel"),
        ({"inputs": "a"}, "inputs"),
        ({"inputs": [""]}, "inputs"),
        ({"preprocess": "imagenet"}, "preprocess"),
        ({"mean": 1.0}, "mean"),
        ({"mean": [1.0, 2.0]}, "mean"),
        ({"mean": [True]}, "mean"),
        ({"mean": [1e999]}, "mean"),
        ({"std": [10**400]}, "std"),
        ({"std": [1.0, 0.0, 1.0]}, "std"),
        ({"scale": ["1"]}, "scale"),
        ({"scale": [1], "preprocess": "tf"}, "preprocess"),
        ({"channel_order": "grb"}, "channel_order"),
        ({"resize": "fit"}, "fit"),
        ({"algo": "max"}, "algo"),
        ({"seed": -1}, "seed"),
        ({"labels": "/etc/passwd"}, "labels"),
        ({"data_function": "feed.py"}, "data_function"),
        ({"data_function": "../feed.py:f"}, "data_function"),
        ({"data_function": "feed.py:a b"}, "data_function"),
        ({"in_graph": None}, "in_graph"),
        ({"in_graph": "/etc/passwd"}, "in_graph"),
        ({"out_graph": "output/../../x.pb"}, "out_graph"),
        ({"data_location": ""}, "data_location"),
        ({"data_location": "a\0b"}, "data_location"),
    ],
)
def test_a_wrong_value_is_named(changes, word):
    with pytest.raises(BadInputError) as error:
        parse(**changes)
    assert word in error.value.message
    assert error.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "[" * 100_000])
def test_no_object_is_refused(text):
    with pytest.raises(BadInputError):
        jobs.parse(text)


def test_paths_are_below_the_workspace(monkeypatch):
    assert jobs.path("output/x.pb") == "/workspace/output/x.pb"
    monkeypatch.setenv("WORKSPACE", "/elsewhere/ws")
    assert jobs.path("output/x.pb") == "/elsewhere/ws/output/x.pb"


def test_the_workspace_in_a_command_is_the_one_here(monkeypatch):
    monkeypatch.setenv("WORKSPACE", "/w\\1")
    assert jobs.here("/workspace") == "/w\\1"
    assert jobs.here("--a=/workspace/b,/workspace/c") == "--a=/w\\1/b,/w\\1/c"
    for other in ("/my/workspace/a", "/workspaces", "/workspace-2/a", "x/workspace", "/workspace.old"):
        assert jobs.here(other) == other
