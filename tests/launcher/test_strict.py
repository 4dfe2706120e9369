from __future__ import annotations

from typing import Any

import pytest

from launch_quantization.contract.models_file import ENTRY
from launch_quantization.contract.shapes import Boolean, ListOf, Nullable, Object, OneOf, Text, schema_of
from launch_quantization.contract.strict import find_complaint

SHAPE = Object({"name": Text(10), "kind": Nullable(OneOf(("a", "b"))), "all": Nullable(ListOf(Boolean(), 3))})


@pytest.mark.parametrize(
    "value", [{"name": "x"}, {"name": "x", "kind": None}, {"name": "x", "kind": "b", "all": [True]}]
)
def test_what_fits(value: Any) -> None:
    assert find_complaint(value, SHAPE, "it") is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "it is not an object"),
        ({}, "it has no name"),
        ({"name": "x", "nme": 1}, "it has unknown keys: nme; there are name, kind, all"),
        ({"name": " "}, 'it, name is not a text, but " "'),
        ({"name": None}, "it, name is not a text, but null"),
        ({"name": "x", "kind": "c"}, 'it, kind is not one of a, b, but "c"'),
        ({"name": "x", "all": True}, "it, all is not a list, but true"),
        ({"name": "x", "all": [1]}, "it, all is not true or false, but 1"),
    ],
)
def test_what_does_not_is_told_with_its_place(value: Any, said: str) -> None:
    assert find_complaint(value, SHAPE, "it") == said


def test_the_schema_of_models_json_names_all_that_it_may_hold() -> None:
    schema = schema_of(ENTRY)
    assert schema["required"] == ["MODEL_NAME", "LAUNCH_BENCHMARK_PARAMS", "QUANTIZE_GRAPH_CONVERTER_PARAMS"]
    zoo = schema["properties"]["MODEL_ZOO"]["anyOf"][0]
    assert zoo["properties"]["DATA"]["anyOf"][0] == {"enum": ["folder", "file"]}
