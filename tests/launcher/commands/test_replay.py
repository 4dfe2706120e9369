"""replay: the same run again, from its manifest, with a runtime that only pretends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launch_quantization.commands.cli import main
from launch_quantization.job.job import Job
from launch_quantization.output.runs import runs_root, shells_root
from launch_quantization.runtimes.docker.kind import Docker
from launch_quantization.runtimes.local.kind import Local
from launch_quantization.stream.lines import LineSink
from tests.launcher.support import RESULT, graph, leave_output, line, report


class Pretending:
    """Leaves the files that it is given, in a place of which it says what it is told."""

    name = "docker"

    def __init__(self, **place: object) -> None:
        self.place = {"runtime": "docker", "tensorflow": "2.14", "packages": [], "revision": "1234", **place}
        self.files = {"out.pb": graph("one"), "out.statistics.json": b"{}"}
        self.ready = True
        self.jobs: list[Job] = []
        self.created = "first"
        self.opened: list[str | None] = []

    def describe(self) -> str:
        return "a runtime that only pretends"

    def is_ready(self) -> bool:
        return self.ready

    def ensure(self, log: Callable[[str], None]) -> None:
        pass

    def identity(self) -> dict[str, object]:
        return self.place

    def run(self, job: Job, staging: Path, on_line: LineSink) -> int:
        self.jobs.append(job)
        told = {**json.loads(report(self.files["out.pb"])), "created": self.created, "alarms": []}
        html = f"<html>{self.created}".encode()
        leave_output(
            staging / "output",
            files={"out.report.json": json.dumps(told).encode(), **self.files, "out.report.html": html},
        )
        on_line(line("start", version="2", tensorflow="2.14.0", python="3.11.7", cpu=[], onednn=True), "stdout")
        on_line(line("stage", name="read", index=1, total=6), "stdout")
        on_line(line("result", **RESULT), "stdout")
        on_line(line("end", exit_code=0), "stdout")
        return 0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Pretending:
    pretending = Pretending(image="quantization:2.14-1", image_content="11")

    def opened(_self: object, options: Any, *_: object) -> Pretending:
        pretending.opened.append(options.docker_image)
        return pretending

    monkeypatch.setattr(Docker, "open", opened)
    return pretending


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Pretending) -> Path:
    """Of a run that was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "results").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    words = ["-g", "net.pb", "-d", "images", "-o", "results/out.pb", "--runtime", "docker", "--samples", "1"]
    assert main(words) == 0
    runtime.created = "second"
    return tmp_path / "results" / "out.manifest.json"


def test_a_run_tells_how_it_was_made(manifest: Path) -> None:
    run = json.loads(manifest.read_text())["run"]
    assert run["revision"] == "1234"
    assert run["place"]["image"] == "quantization:2.14-1"
    assert run["inside"]["tensorflow"] == "2.14.0"
    assert [stage["name"] for stage in run["stages"]] == ["read"]
    assert [entry["option"] for entry in run["inputs"]] == ["in_graph", "data_location"]
    assert main(["verify", str(manifest), "--inputs"]) == 0


def test_the_same_bytes(manifest: Path, runtime: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in manifest.parent.iterdir()}
    capsys.readouterr()
    assert main(["replay", str(manifest)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "identical                out.pb",
        "identical but for times  out.report.html",
        "identical but for times  out.report.json",
        "identical                out.statistics.json",
        "identical",
    ]
    assert {path.name: path.read_bytes() for path in manifest.parent.iterdir()} == before
    first, second = runtime.jobs
    assert second.inside() == first.inside()
    assert not list(runs_root().iterdir())
    assert not list(shells_root().iterdir())


def test_another_graph_comes_out(manifest: Path, runtime: Pretending, capsys: pytest.CaptureFixture[str]) -> None:
    runtime.files["out.pb"] = graph("two")
    del runtime.files["out.statistics.json"]
    assert main(["replay", str(manifest)]) == 14
    said = capsys.readouterr()
    assert "DIFFERENT                out.pb" in said.out
    assert "DIFFERENT                out.report.json" in said.out
    assert "not made again           out.statistics.json" in said.out
    assert "of 4 files are not the same" in said.err


def test_the_photo_that_changed_is_named_and_nothing_is_run(
    manifest: Path, runtime: Pretending, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = manifest.parent.parent / "images" / "b.png"
    photo.write_bytes(b"b.pnf")
    capsys.readouterr()
    assert main(["replay", str(manifest)]) == 14
    said = capsys.readouterr()
    assert said.out == f"--data_location: {photo} changed\n"
    assert "nothing was run: 1 of the inputs" in said.err
    assert len(runtime.jobs) == 1


def test_inputs_may_be_elsewhere(manifest: Path, runtime: Pretending) -> None:
    root = manifest.parent.parent
    (root / "images").rename(root / "photos")
    (root / "other").mkdir()
    (root / "net.pb").rename(root / "other" / "net.pb")
    assert main(["replay", str(manifest)]) == 14
    assert main(["replay", str(manifest), "--data_location", "photos", "--in_graph", "other/net.pb"]) == 0
    assert runtime.jobs[-1].data_location == root / "photos"


def test_results_are_kept_where_that_is_asked_for(manifest: Path, tmp_path: Path) -> None:
    assert main(["replay", str(manifest), "--keep", str(tmp_path / "deep" / "again")]) == 0
    kept = {path.name for path in (tmp_path / "deep" / "again").iterdir()}
    assert kept == {path.name for path in manifest.parent.iterdir()}


def test_the_image_of_the_manifest_is_used_where_ours_is_another(
    manifest: Path, runtime: Pretending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a change of the code: this launcher's image is not the one that made the results."""

    def opened(_self: object, options: Any, *_: object) -> Pretending:
        runtime.opened.append(options.docker_image)
        runtime.place["image_content"] = "22" if options.docker_image is None else "11"
        return runtime

    monkeypatch.setattr(Docker, "open", opened)
    runtime.opened.clear()
    assert main(["replay", str(manifest)]) == 0
    assert runtime.opened == [None, "quantization:2.14-1", "quantization:2.14-1"]


def test_the_image_is_gone(
    manifest: Path, runtime: Pretending, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(_self: object, options: Any, *_: object) -> Pretending:
        runtime.ready = options.docker_image is None
        runtime.place["image_content"] = "22"
        return runtime

    monkeypatch.setattr(Docker, "open", opened)
    assert main(["replay", str(manifest)]) == 7
    assert "build it from commit 1234" in capsys.readouterr().err


def test_another_environment_is_told(
    manifest: Path, runtime: Pretending, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = Pretending(runtime="local", lock="ab", python="3.11.7")
    elsewhere.created = "third"
    monkeypatch.setattr(Local, "open", lambda *_: elsewhere)
    run = json.loads(manifest.read_text())
    run["run"]["place"]["lock"] = "cd"
    manifest.write_text(json.dumps(run))
    assert main(["replay", str(manifest), "--runtime", "local"]) == 0
    assert "the environment is another one: lock was cd, is ab" in capsys.readouterr().err
    assert runtime.jobs != []
    assert len(elsewhere.jobs) == 1


def test_one_of_before(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = json.loads(manifest.read_text())
    del value["run"]
    manifest.write_text(json.dumps(value))
    assert main(["replay", str(manifest)]) == 3
    assert "does not say how it was made" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "said"), [("--debug", "names --debug"), ("--help", "asks for the help")])
def test_what_no_manifest_names_is_refused(
    manifest: Path, runtime: Pretending, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    value = json.loads(manifest.read_text())
    value["run"]["arguments"].append(word)
    manifest.write_text(json.dumps(value))
    before = len(runtime.jobs)
    assert main(["replay", str(manifest)]) == 3
    assert said in capsys.readouterr().err
    assert len(runtime.jobs) == before


def test_options_of_another_version(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = json.loads(manifest.read_text())
    value["run"]["arguments"].append("--shiny")
    manifest.write_text(json.dumps(value))
    assert main(["replay", str(manifest)]) == 3
    assert "whose options are others: unknown option --shiny" in capsys.readouterr().err
