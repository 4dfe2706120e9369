"""Manifests read, and held against what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from launch_quantization.contract.json_schema import SCHEMAS
from launch_quantization.contract.repeatable import repeatable, repeatable_digest
from launch_quantization.errors import BadInputError
from launch_quantization.job.validation import checked_job
from launch_quantization.output.inputs import Inputs
from launch_quantization.output.manifest import compare_files, compare_input, read_manifest
from launch_quantization.output.record import run_record
from tests.launcher.support import entry, options


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).write_bytes(name.encode())
    job = checked_job(
        options("-g", tmp_path / "net.pb", "-d", tmp_path / "images", "-o", tmp_path / "out.pb", "--seed", 3)
    )
    place = {"runtime": "local", "tensorflow": "2.14", "packages": ["numpy==1.26.4"], "revision": "abc"}
    stages = [("read", 100.0), ("optimize", 101.5)]
    return run_record(job, Inputs(job).wait(), place, None, stages, 104.0, {"alarms": []}, "1.2")


def write(folder: Path, value: object) -> str:
    path = folder / "out.manifest.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_what_is_written_can_be_read_and_fits_its_schema(tmp_path: Path, run: dict[str, Any]) -> None:
    value = {"schema": 1, "files": [entry("out.pb", b"x")], "run": run}
    jsonschema.validate(value, SCHEMAS["manifest"]())
    path, found = read_manifest(write(tmp_path, value))
    assert path.name == "out.manifest.json"
    assert found["run"] == run
    assert run["seed"] == 3
    assert run["version"] == "1.2"
    assert run["revision"] == "abc"
    assert run["started"] == "1970-01-01 00:01:40 UTC"
    assert run["seconds"] == 4.0
    assert run["stages"] == [{"name": "read", "seconds": 1.5}, {"name": "optimize", "seconds": 2.5}]
    assert [one["option"] for one in run["inputs"]] == ["in_graph", "data_location"]


def test_one_of_before(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, {"schema": 1, "files": []}))[1] == {"files": [], "run": None}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "is no JSON"),
        ("[1]", "is no manifest of schema 1"),
        ({"schema": 2}, "is no manifest of schema 1"),
        ({"schema": 1}, "files is no list"),
        ({"schema": 1, "files": [{"name": "a", "size": -1, "sha256": ""}]}, "files[0].size is -1"),
        ({"schema": 1, "files": [], "run": {}}, "run.version is None"),
        ({"schema": 1, "files": [], "run": 3}, "run is no object"),
    ],
)
def test_what_is_none(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(BadInputError, match="manifest") as caught:
        read_manifest(write(tmp_path, value))
    assert message in caught.value.message


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        read_manifest(str(tmp_path / "nothing"))


def test_files_beside_it(tmp_path: Path) -> None:
    for name, content in {"same": b"1", "other": b"2", "longer": b"33"}.items():
        (tmp_path / name).write_bytes(content)
    files = [entry("same", b"1"), entry("other", b"1"), entry("longer", b"3"), entry("gone", b"4")]
    assert dict(compare_files(tmp_path / "out.manifest.json", files)) == {
        "same": "",
        "other": "changed",
        "longer": "2 bytes instead of 1",
        "gone": "missing",
    }


def test_the_photo_that_changed_is_named(tmp_path: Path, run: dict[str, Any]) -> None:
    graph, data = run["inputs"]
    images = tmp_path / "images"
    assert compare_input(graph, tmp_path / "net.pb") == []
    assert compare_input(data, images) == []
    (images / "b.png").write_bytes(b"b.pnf")
    assert compare_input(data, images) == [f"--data_location: {images}/b.png changed"]
    (images / "a.png").rename(images / "c.png")
    assert compare_input(data, images)[::2] == [
        f"--data_location: {images}/a.png is missing",
        f"--data_location: {images}/c.png is new",
    ]
    (tmp_path / "net.pb").write_bytes(b"other")
    assert compare_input(graph, tmp_path / "net.pb") == [f"--in_graph: {tmp_path}/net.pb changed"]
    assert compare_input(graph, tmp_path / "no.pb") == [f"--in_graph: {tmp_path}/no.pb is missing"]


def test_a_folder_of_too_many_files_is_told_as_a_whole(tmp_path: Path, run: dict[str, Any]) -> None:
    data = {**run["inputs"][1], "files": None}
    (tmp_path / "images" / "b.png").write_bytes(b"b.pnf")
    assert compare_input(data, tmp_path / "images") == [f"--data_location: {tmp_path}/images changed"]


def test_times_and_machines_are_not_repeatable() -> None:
    report = {
        "created": "now",
        "headline": "2 x as fast",
        "alarms": [],
        "latency": {"fp32_ms": 1.0},
        "blame": {"suspects": [{"op": "Conv2D", "fp32_ms": 1.0}], "opportunities": [1], "time": {}},
        "provenance": {"cpu": ["avx"], "tensorflow": "2.14.0", "threads": 2},
        "options": {"threads": None, "samples": 3},
    }
    assert repeatable(report) == {
        "alarms": [],
        "blame": {"suspects": [{"op": "Conv2D"}]},
        "provenance": {"tensorflow": "2.14.0"},
        "options": {"samples": 3},
    }
    faster = {**report, "created": "later", "latency": None}
    assert repeatable_digest(faster) == repeatable_digest(report)
    assert repeatable_digest({**report, "alarms": [1]}) != repeatable_digest(report)
