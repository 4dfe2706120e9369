"""--out_graph and --format: which form is written, where, and what is not replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from launch_quantization.errors import LauncherError, OutputRefusedError, UsageError
from launch_quantization.job.job import Job
from launch_quantization.job.validation import checked_job
from tests.launcher.support import options


def job(graph: Path, *argv: object) -> Job:
    return checked_job(options("-g", graph, "-d", graph.parent, *argv))


def refused(graph: Path, *argv: object) -> LauncherError:
    with pytest.raises(LauncherError) as caught:
        job(graph, *argv)
    assert "\n" not in caught.value.message + caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("argv", "name", "form"),
    [
        ((), "net_int8.pb", "pb"),
        (("--format", "pb"), "net_int8.pb", "pb"),
        (("--format", "saved_model"), "net_int8", "saved_model"),
        (("-o", "{}/served/"), "served", "saved_model"),
        (("-o", "{}/1/"), "1", "saved_model"),
        (("-o", "{}/served", "--format", "saved_model"), "served", "saved_model"),
        (("-o", "{}/x.pb"), "x.pb", "pb"),
    ],
)
def test_which_form(graph: Path, argv: tuple[str, ...], name: str, form: str) -> None:
    made = job(graph, *(word.format(graph.parent) for word in argv))
    assert made.out_graph == graph.parent / name
    assert made.format == form
    assert made.inside()["out_graph"] == f"output/{name}"
    assert made.inside()["format"] == form
    assert made.stem == name.removesuffix(".pb")


def test_of_a_saved_model(tmp_path: Path, graph: Path) -> None:
    (tmp_path / "net.v2").mkdir()
    (tmp_path / "net.v2" / "saved_model.pb").write_bytes(b"x")
    assert job(tmp_path / "net.v2", "-d", graph, "--format", "saved_model").out_graph == tmp_path / "net.v2_int8"


@pytest.mark.parametrize(
    "argv",
    [
        ("-o", "{}/x/", "--format", "pb"),
        ("-o", "{}/x.pb", "--format", "saved_model"),
        ("-o", "{}/x.pb/"),
        ("-o", "{}/x"),
        ("--format", "onnx"),
        ("-o", "{}/" + "x" * 300 + "/"),
    ],
)
def test_contradictions(graph: Path, argv: tuple[str, ...]) -> None:
    assert isinstance(refused(graph, *(word.format(graph.parent) for word in argv)), UsageError)


def test_a_name_without_a_suffix_is_told_of_folders(graph: Path) -> None:
    assert "a folder for a SavedModel: x/" in refused(graph, "-o", graph.parent / "x").remedy


def test_a_look_has_no_format(graph: Path) -> None:
    with pytest.raises(UsageError, match="no --format"):
        checked_job(options("-g", graph, "--task", "benchmark", "--format", "saved_model"))


def test_the_input_is_not_replaced(tmp_path: Path, graph: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"x")
    assert "the same file as --in_graph" in refused(tmp_path / "net", "-d", graph, "-o", f"{tmp_path}/net/").message
    inside = refused(tmp_path / "net", "-d", graph, "-o", f"{tmp_path}/net/int8/")
    assert "lies inside of --in_graph" in inside.message


@pytest.mark.parametrize(
    "older", [(), ("saved_model.pb", "variables/x", "assets/a", "assets.extra/b", "fingerprint.pb")]
)
def test_an_older_saved_model_is_replaced(graph: Path, tmp_path: Path, older: tuple[str, ...]) -> None:
    (tmp_path / "out").mkdir()
    for name in older:
        (tmp_path / "out" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_bytes(b"x")
    assert job(graph, "-o", f"{tmp_path}/out/").out_graph == tmp_path / "out"


def test_nothing_else_is_replaced(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_bytes(b"x")
    error = refused(graph, "-o", f"{tmp_path}/mine/")
    assert isinstance(error, OutputRefusedError)
    assert "'thesis.tex', which is not part of a SavedModel" in error.message
    (tmp_path / "file").write_bytes(b"x")
    assert "is no folder" in refused(graph, "-o", f"{tmp_path}/file/").message
    (tmp_path / "link").symlink_to("mine")
    assert "is a symlink" in refused(graph, "-o", f"{tmp_path}/link/").message
    assert "does not exist" in refused(graph, "-o", f"{tmp_path}/not/there/").message
