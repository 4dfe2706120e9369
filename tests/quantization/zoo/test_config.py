"""The file of zoo models."""

from __future__ import annotations

import json

import pytest

from intel_quantization.errors import BadInputError
from intel_quantization.zoo.config import default_file, load_entries

NINE = {
    "resnet50",
    "resnet50v1_5",
    "resnet101",
    "inceptionv3",
    "mobilenet_v1",
    "ssd_mobilenet",
    "ssd_resnet34",
    "faster_rcnn",
    "rfcn",
}


def entry(**changes):
    return {
        "MODEL_NAME": "mine",
        "LAUNCH_BENCHMARK_PARAMS": {
            "LAUNCH_BENCHMARK_SCRIPT": "benchmarks/launch_benchmark.py",
            "LAUNCH_BENCHMARK_CMD": ["--model-name mine", "--precision int8"],
            "IN_GRAPH": "--in-graph {}",
            "DATA_LOCATION": "--data-location {}",
            "DIRECT_PASS_PARAMS_TO_MODEL": ['-- split="accuracy_message"'],
        },
        "QUANTIZE_GRAPH_CONVERTER_PARAMS": {
            "INPUT_NODE_LIST": ["input"],
            "OUTPUT_NODE_LIST": ["predict"],
            "EXCLUDED_OPS_LIST": [],
            "EXCLUDED_NODE_LIST": ["a/b"],
            "PER_CHANNEL_FLAG": True,
        },
        **changes,
    }


def load(folder, content):
    path = folder / "models.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return load_entries(str(path))


def test_all_nine_models_are_there():
    entries = load_entries(default_file())
    assert {item.name for item in entries} == NINE
    assert all(item.inputs and item.outputs and item.needs and item.tags and item.data for item in entries)


def test_what_an_entry_says(tmp_path):
    (read,) = load(tmp_path, [entry()])
    assert read.command == ("--model-name", "mine", "--precision", "int8")
    assert (read.in_graph, read.data_location) == (("--in-graph", "{}"), ("--data-location", "{}"))
    assert read.direct == ("--", "split=accuracy_message")
    assert (read.inputs, read.outputs, read.excluded_nodes) == (("input",), ("predict",), ("a/b",))
    assert read.per_channel
    assert (read.model_source_dir, read.needs, read.data) == ((), (), None)


def test_both_spellings_of_a_list(tmp_path):
    benchmark = dict(entry()["LAUNCH_BENCHMARK_PARAMS"])
    benchmark["LAUNCH_BENCHMARK_CMD"] = [" --model-name=mine", " --precision=int8", "--accuracy-only"]
    benchmark["IN_GRAPH"] = " --in-graph={}"
    (read,) = load(tmp_path, [entry(LAUNCH_BENCHMARK_PARAMS=benchmark)])
    assert read.command == ("--model-name=mine", "--precision=int8", "--accuracy-only")
    assert read.in_graph == ("--in-graph={}",)


def without(group, key):
    changed = dict(entry()[group])
    del changed[key]
    return entry(**{group: changed})


def changed(group, key, value):
    return entry(**{group: dict(entry().get(group, {}), **{key: value})})


BENCHMARK, CONVERTER = "LAUNCH_BENCHMARK_PARAMS", "QUANTIZE_GRAPH_CONVERTER_PARAMS"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ({}, "is not a list of models"),
        ([[]], "entry 1 is not an object"),
        ([{"MODEL_NAM": "x"}], "entry 1 has unknown keys: MODEL_NAM"),
        ([entry(MODEL_NAME=3)], "entry 1, MODEL_NAME is not a text, but 3"),
        (
            [without(BENCHMARK, "LAUNCH_BENCHMARK_SCRIPT")],
            "mine, LAUNCH_BENCHMARK_PARAMS has no LAUNCH_",
        ),
        ([without(BENCHMARK, "LAUNCH_BENCHMARK_CMD")], "has no LAUNCH_BENCHMARK_CMD"),
        ([without(BENCHMARK, "IN_GRAPH")], "has no IN_GRAPH"),
        ([changed(BENCHMARK, "IN_GRAPH", "--in-graph")], "IN_GRAPH has no {} for the path"),
        ([changed(BENCHMARK, "LAUNCH_BENCHMARK_CMD", "--x")], 'LAUNCH_BENCHMARK_CMD is not a list, but "--x"'),
        ([changed(BENCHMARK, "LAUNCH_BENCHMARK_CMD", ["'x"])], "LAUNCH_BENCHMARK_CMD is no command line"),
        ([changed(BENCHMARK, "LAUNCH_BENCHMARK_SCRIPT", "../x.py")], "LAUNCH_BENCHMARK_SCRIPT is not a path within"),
        ([changed(CONVERTER, "PER_CHANNEL_FLAG", "false")], "PER_CHANNEL_FLAG is not true or false"),
        ([changed(CONVERTER, "INPUT_NODE_LIST", [1])], "INPUT_NODE_LIST is not a text, but 1"),
        ([changed(CONVERTER, "EXCLUDED_OPS", [])], "has unknown keys: EXCLUDED_OPS"),
        ([changed("MODEL_ZOO", "DATA", "tape")], "MODEL_ZOO, DATA is not one of folder, file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, said):
    with pytest.raises(BadInputError) as caught:
        load(tmp_path, content)
    assert said in caught.value.message
    assert str(tmp_path) in caught.value.message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        load_entries(str(tmp_path / "models.json"))
