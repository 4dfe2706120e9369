from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from launch_quantization.errors import OutputRefusedError
from launch_quantization.output import collect as module
from launch_quantization.output.collect import collect
from tests.launcher.support import entry, graph, leave_output, report, write_manifest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / ".out.pb.quantizing").mkdir()
    return tmp_path / ".out.pb.quantizing" / "output"


@pytest.fixture
def out_graph(tmp_path: Path) -> Path:
    (tmp_path / "out.pb").write_bytes(b"old graph")
    (tmp_path / "out.report.html").write_bytes(b"old report")
    return tmp_path / "out.pb"


def refused(source: Path, out_graph: Path) -> str:
    """The message of the refusal, after making sure that nothing changed."""
    before = sorted(path.name for path in out_graph.parent.iterdir())
    with pytest.raises(OutputRefusedError) as caught:
        collect(source, out_graph)
    assert out_graph.read_bytes() == b"old graph"
    assert out_graph.with_name("out.report.html").read_bytes() == b"old report"
    assert sorted(path.name for path in out_graph.parent.iterdir()) == before
    return caught.value.message


def test_a_good_output_is_moved(source: Path, out_graph: Path) -> None:
    files = leave_output(
        source, files={"out.pb": graph("new"), "out.report.html": b"r", "out.intermediate/1_fold.pb": graph("i")}
    )
    (source / "out.pb").chmod(0o6755)
    placed = collect(source, out_graph)
    assert placed[0] == out_graph
    assert {str(path.relative_to(out_graph.parent)) for path in placed} == {*files, "out.manifest.json"}
    for name, content in files.items():
        assert (out_graph.parent / name).read_bytes() == content
    umask = os.umask(0)
    os.umask(umask)
    assert out_graph.stat().st_mode & 0o7777 == 0o666 & ~umask


def test_a_first_output(source: Path, tmp_path: Path) -> None:
    leave_output(source)
    collect(source, tmp_path / "out.pb")
    assert (tmp_path / "out.pb").read_bytes() == graph()


def test_files_nobody_asked_for_stay_behind(source: Path, out_graph: Path) -> None:
    leave_output(source)
    (source / "extra.pb").write_bytes(b"x")
    (source / ".bashrc").write_bytes(b"x")
    (source / "link").symlink_to("/etc")
    collect(source, out_graph)
    assert not (out_graph.parent / "extra.pb").exists()
    assert not (out_graph.parent / ".bashrc").exists()


@pytest.mark.parametrize("name", ["out.pb", "out.report.html", "out.manifest.json"])
def test_a_missing_file(source: Path, out_graph: Path, name: str) -> None:
    leave_output(source)
    (source / name).unlink()
    assert f"{name} is missing" in refused(source, out_graph)


def test_no_output_at_all(source: Path, out_graph: Path) -> None:
    assert "is missing" in refused(source, out_graph)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def make_hard_link(path: Path) -> None:
    path.with_name("other").write_bytes(graph())
    path.hardlink_to(path.with_name("other"))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket may only have 107 bytes
        listening.bind(path.name)
        os.chdir(here)


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("name", ["out.pb", "out.manifest.json", "out.intermediate/a.pb"])
@pytest.mark.parametrize("make", [make_link, make_hard_link, make_socket, make_device, os.mkfifo, Path.mkdir], ids=str)
def test_no_regular_file(source: Path, out_graph: Path, name: str, make: object) -> None:
    leave_output(source, files={"out.pb": graph(), "out.intermediate/a.pb": graph("a")})
    (source / name).unlink()
    make(source / name)  # type: ignore[operator]
    assert name.rpartition("/")[2] in refused(source, out_graph)


def test_a_link_in_place_of_a_folder(source: Path, out_graph: Path) -> None:
    leave_output(source, files={"out.pb": graph(), "out.intermediate/a.pb": graph("a")})
    (source / "out.intermediate").rename(source / "real")
    (source / "out.intermediate").symlink_to("real")
    assert "out.intermediate" in refused(source, out_graph)


def test_a_link_in_place_of_the_output(source: Path, out_graph: Path, tmp_path: Path) -> None:
    leave_output(tmp_path / "real")
    source.symlink_to(tmp_path / "real")
    refused(source, out_graph)


@pytest.mark.parametrize("content", [b"graph!", b"grapH", b""])
def test_a_file_that_differs_from_its_manifest(source: Path, out_graph: Path, content: bytes) -> None:
    leave_output(source)
    (source / "out.pb").write_bytes(content)
    assert "out.pb" in refused(source, out_graph)


def test_huge_files(source: Path, out_graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_output(source)
    os.truncate(source / "out.pb", module.FILE_LIMIT + 1)  # sparse: takes no room
    assert "bytes" in refused(source, out_graph)
    leave_output(source)
    os.truncate(source / "out.manifest.json", module.MANIFEST_LIMIT + 1)
    assert "bytes" in refused(source, out_graph)


@pytest.mark.parametrize(
    "name",
    [
        "../out.pb",
        "/etc/passwd",
        "out.intermediate/../../x.pb",
        "out.intermediate/.hidden.pb",
        "out.intermediate/a/b.pb",
        "other.pb",
        "out.pb\n",
        "out.PB",
        "outxpb",
        ".bashrc",
        "",
        "out.report.html/x",
        "out.intermediate/\x1b[2J.pb",
    ],
)
def test_names_that_no_job_makes(source: Path, out_graph: Path, name: str) -> None:
    leave_output(source)
    write_manifest(source, "out", [entry("out.pb", graph()), entry(name, b"x")])
    assert "\x1b" not in refused(source, out_graph)


@pytest.mark.parametrize(
    "files",
    [
        [],
        [5],
        [{}],
        [entry("out.pb", graph())] * 2,
        [{"name": "out.pb", "size": "5", "sha256": "0" * 64}],
        [{"name": "out.pb", "size": True, "sha256": "0" * 64}],
        [{"name": "out.pb", "size": -1, "sha256": "0" * 64}],
        [{"name": "out.pb", "size": 5, "sha256": None}],
        [{"name": "out.pb", "size": 5, "sha256": "short"}],
        [entry("out.report.html", b"<html>")],
        [entry(f"out.intermediate/{index}.pb", b"") for index in range(2000)],
    ],
    ids=range(11),
)
def test_manifests_that_make_no_sense(source: Path, out_graph: Path, files: list[object]) -> None:
    leave_output(source)
    write_manifest(source, "out", files)
    refused(source, out_graph)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 2, "files": []}', '{"schema": 1}', "[" * 100_000, "\xff"])
def test_manifests_that_are_none(source: Path, out_graph: Path, text: str) -> None:
    leave_output(source)
    (source / "out.manifest.json").write_text(text, encoding="latin-1")
    refused(source, out_graph)


def test_a_failure_half_way_puts_everything_back(source: Path, out_graph: Path) -> None:
    leave_output(source, files={"out.pb": graph("new"), "out.report.html": b"new", "out.statistics.json": b"new"})
    out_graph.with_name("out.statistics.json").mkdir()
    assert "out.statistics.json" in refused(source, out_graph)
    assert not out_graph.with_name("out.manifest.json").exists()


def test_a_failure_half_way_leaves_no_folder(source: Path, out_graph: Path) -> None:
    leave_output(source, files={"out.pb": graph("new"), "out.intermediate/a.pb": graph("a")})
    out_graph.with_name("out.report.json").mkdir()
    refused(source, out_graph)
    assert not out_graph.with_name("out.intermediate").exists()


def test_a_folder_of_intermediates_that_is_a_link(source: Path, out_graph: Path, tmp_path: Path) -> None:
    leave_output(source, files={"out.pb": graph("new"), "out.intermediate/a.pb": graph("a")})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.intermediate").symlink_to("elsewhere")
    refused(source, out_graph)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_of_another_user(source: Path, out_graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_output(source)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert "belongs to uid" in refused(source, out_graph)


@pytest.mark.parametrize("content", [b"\x0a\x00", b"", b"\x08\x01", graph()[:-1], graph() + b"\x00", b"graph"])
@pytest.mark.parametrize("name", ["out.pb", "out.intermediate/a.pb"])
def test_a_graph_that_is_none(source: Path, out_graph: Path, name: str, content: bytes) -> None:
    leave_output(source, files={"out.pb": graph(), "out.intermediate/a.pb": graph("a"), name: content})
    assert f"{name} is no GraphDef" in refused(source, out_graph)


@pytest.mark.parametrize(
    "text", [report(b"another graph"), b"{}", b"[]", b"{", b'{"provenance": 1}', b"\xff", b"[" * 100_000]
)
def test_a_report_about_another_graph(source: Path, out_graph: Path, text: bytes) -> None:
    leave_output(source, files={"out.pb": graph(), "out.report.json": text})
    assert "out.report.json" in refused(source, out_graph)


def test_no_report(source: Path, out_graph: Path) -> None:
    leave_output(source)
    write_manifest(source, "out", [entry("out.pb", graph())])
    assert "does not list out.report.json" in refused(source, out_graph)
