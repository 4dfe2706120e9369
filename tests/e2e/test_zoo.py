"""Models of the Model Zoo, with a stand-in for the zoo, from the command line to the files, on both runtimes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launch_quantization.building.context import context_root
from tests.e2e.support import Launcher, leftovers, write_rows
from tests.standin_zoo import GENERATIONS, write_zoo


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a file named as ImageNet's TFRecords."""
    return write_rows(tmp_path / "data" / "validation-00000-of-00001", 7).parent


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_zoo_calibrates(launch: Launcher, graph: Path, data: Path, tmp_path: Path, generation: str) -> None:
    zoo = write_zoo(tmp_path / "zoo", generation)
    before = snapshot(zoo)
    output = tmp_path / "results"
    output.mkdir()

    done = launch(
        *("-g", graph, "-z", zoo, "-n", "resnet50", "-d", data, "-o", output / "out.pb"),
        *("--samples", "20", "--batch_size", "5", "--json"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    result = [json.loads(line) for line in done.stdout.splitlines()][-2]
    assert "launch_benchmark.py --model-name resnet50" in result["calibration"]["command"]
    assert "--batch-size 5" in result["calibration"]["command"]
    assert 20 <= result["calibration"]["samples"] < 50000
    assert {op["op"]: op["int8"] for op in result["ops"]}["Conv2D"] == 2
    assert snapshot(zoo) == before
    assert leftovers(output) == []


def test_a_file_of_models_and_sources_that_are_patched(
    launch: Launcher, graph: Path, data: Path, tmp_path: Path
) -> None:
    zoo = write_zoo(tmp_path / "zoo", "v1.5")
    sources = tmp_path / "sources"
    (sources / "research").mkdir(parents=True)
    (sources / "research" / "parser.py").write_text("old\n")
    (entry,) = (
        entry
        for entry in json.loads((context_root() / "quantization/config/models.json").read_text("utf-8"))
        if entry["MODEL_NAME"] == "resnet50"
    )
    entry["MODEL_NAME"] = "mine"
    benchmark = entry["LAUNCH_BENCHMARK_PARAMS"]
    benchmark["LAUNCH_BENCHMARK_CMD"] += [" --socket-id=0"]  # which wants numactl and rights
    benchmark["MODEL_SOURCE_DIR"] = " --model-source-dir={}"
    entry["QUANTIZE_GRAPH_CONVERTER_PARAMS"]["EXCLUDED_OPS_LIST"] = ["MatMul"]
    config = tmp_path / "models.json"
    config.write_text(json.dumps([entry]))

    done = launch(
        *("-g", graph, "-z", zoo, "-n", "mine", "-d", data, "-s", sources, "--models_config", config),
        *("-o", tmp_path / "out.pb", "--samples", "20", "--json"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    result = [json.loads(line) for line in done.stdout.splitlines()][-2]
    assert {op["op"]: op["int8"] for op in result["ops"]}["MatMul"] == 0
    assert (sources / "research" / "parser.py").read_text() == "old\n"


def test_what_goes_wrong_is_said(launch: Launcher, graph: Path, data: Path, tmp_path: Path) -> None:
    zoo = write_zoo(tmp_path / "zoo", "v3")
    call = ("-g", graph, "-z", zoo, "-d", data, "-o", tmp_path / "out.pb")
    dropped = launch(*call, "-n", "rfcn")
    assert dropped.returncode == 3
    assert "has no rfcn" in dropped.stderr
    assert "check out a tag that has it: v1.3.0 to v3.0.0" in dropped.stderr

    (data / "validation-00000-of-00001").write_bytes(b"abcd" * 5)
    broken = launch(*call, "-n", "resnet50")
    assert broken.returncode == 3
    assert "error: the calibration command" in broken.stderr
    assert "cannot reshape array" in broken.stderr
    assert not (tmp_path / "out.pb").exists()
