"""What a call gives: files, summary, events, and the spellings of the call."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import jsonschema
import pytest

from launch_quantization.contract.json_schema import SCHEMAS
from tests.e2e.support import PATIENCE, Launcher, leftovers, write_rows
from tests.standin_zoo import write_zoo

SUFFIXES = (
    ".pb",
    ".report.html",
    ".report.json",
    ".report.md",
    ".model_explorer.json",
    ".statistics.json",
    ".manifest.json",
)


def test_a_graph_and_images_are_enough(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    copy = tmp_path / "net.pb"
    copy.write_bytes(graph.read_bytes())

    done = launch("--in_graph", copy, "--data_location", images)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["net.pb", *(f"net_int8{suffix}" for suffix in SUFFIXES)]
    )
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {os.getuid()}
    assert "Conv2D" in done.stdout
    assert "INT8" in done.stdout
    assert "[3/6] calibrate" in done.stderr
    assert leftovers(tmp_path) == []
    for name, file in (("report", "net_int8.report.json"), ("manifest", "net_int8.manifest.json")):
        jsonschema.validate(json.loads((tmp_path / file).read_text("utf-8")), SCHEMAS[name]())


def test_results_are_plain_files_of_the_caller(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    done = launch("-g", graph, "-d", images, "-o", tmp_path / "out.pb", "--quiet")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    umask = os.umask(0)
    os.umask(umask)
    for path in tmp_path.iterdir():
        found = path.lstat()
        assert stat.S_ISREG(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o666 & ~umask


def test_events(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    done = launch("--in-graph", graph, "--data-location", images, "--out-graph", tmp_path / "out.pb", "--json")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [event["event"] for event in events]
    assert names[-2:] == ["result", "end"]
    assert events[-1]["exit_code"] == done.returncode == 0
    assert [event["index"] for event in events if event["event"] == "stage"] == [1, 2, 3, 4, 5, 6]
    assert names.count("end") == names.count("start") == 1
    ops = {op["op"]: op for op in events[-2]["ops"]}
    assert ops["Conv2D"]["total"] == ops["Conv2D"]["int8"] == 2
    assert events[-2]["files"][0] == str(tmp_path / "out.pb")
    for event in events:
        jsonschema.validate(event, SCHEMAS["event"]())


def test_intermediate_graphs_are_kept(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    done = launch("-g", graph, "-d", images, "-o", tmp_path / "out.pb", "--intermediate")

    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out.intermediate").glob("*.pb"))


def test_the_call_of_the_seed_tool(launch: Launcher, graph: Path, tmp_path: Path) -> None:
    zoo = write_zoo(tmp_path / "zoo", "v1.5")
    write_rows(tmp_path / "data" / "validation-00000-of-00001", 7)
    named = ["--docker-image", "quantization:latest"] if launch.runtime == "docker" else []

    done = launch(
        *named,
        f"--in_graph={graph}",
        "--model_name=resnet50",
        f"--models_zoo={zoo}",
        f"--out_graph={tmp_path / 'out.pb'}",
        f"--data_location={tmp_path / 'data'}",
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.pb").is_file()


@pytest.mark.parametrize("name", ["with space", "with:colon,comma", "ünïcode 数", "-dash", "quote'\"$HOME"])
def test_odd_names(launch: Launcher, graph: Path, images: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    copy = folder / f"{name}.pb"
    copy.write_bytes(graph.read_bytes())
    (folder / "data").mkdir()
    for image in images.rglob("*.png"):
        (folder / "data" / image.name).write_bytes(image.read_bytes())

    done = launch(f"--in_graph={copy}", f"--data_location={folder / 'data'}")

    assert done.returncode == 0, done.stderr
    assert (folder / f"{name}_int8.pb").is_file()


def test_the_line_of_a_dry_run_works_when_pasted(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a b,c"
    folder.mkdir()
    planned = launch("-g", graph, "-d", images, "-o", folder / "out.pb", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert list(folder.iterdir()) == []
    line = planned.stdout.splitlines()[-1]
    assert json.loads(planned.stdout.rpartition("\n\n")[0])["line"] == line
    if launch.runtime == "docker":
        assert shlex.split(line)[:2] == ["docker", "run"]

    pasted = subprocess.run(
        ["bash", "-c", line], env=launch.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert pasted.returncode == 0, pasted.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"out{suffix}" for suffix in SUFFIXES)
    assert {path.stat().st_uid for path in folder.iterdir()} == {os.getuid()}


def test_two_graphs_are_evaluated_and_compared(launch: Launcher, graph: Path, images: Path, tmp_path: Path) -> None:
    assert launch("-g", graph, "-d", images, "-o", tmp_path / "out.pb", "--quiet").returncode == 0
    done = launch("evaluate", graph, tmp_path / "out.pb", "-d", images, "--max_drop", "100")
    assert done.returncode == 0, done.stderr
    assert "--max_drop 100 is " in done.stdout
    assert "same answer for" in done.stdout
    told = launch("compare", graph, tmp_path / "out.pb")
    assert told.returncode == 0, told.stderr
    assert "Conv2D: 2 -> " in told.stdout
    assert leftovers(tmp_path) == []
