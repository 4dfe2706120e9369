"""A SavedModel among what a job left: moved as a folder, all of it known; refused where it is not what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch_quantization.contract.words import PB, SAVED_MODEL
from launch_quantization.errors import OutputRefusedError
from launch_quantization.output import exchange, placement
from launch_quantization.output.collect import collect
from tests.launcher.support import entry, graph, leave_output, message, report, write_manifest

MODEL = b"\x08\x01" + message(2, message(2, graph()))
FILES = {
    "out/saved_model.pb": MODEL,
    "out/variables/variables.index": b"index",
    "out/variables/variables.data-00000-of-00001": b"data",
    "out/assets/vocabulary of käse.txt": b"a\nb\n",
    "out/assets.extra/tf_serving_warmup_requests": b"warm",
    "out.report.html": b"new report",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / ".out.quantizing").mkdir()
    return tmp_path / ".out.quantizing" / "output"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"old")
    (folder / "variables" / "variables.index").write_bytes(b"old")
    (tmp_path / "out.report.html").write_bytes(b"old report")
    return folder


def leave(source: Path, files: dict[str, bytes] | None = None, **more: bytes) -> dict[str, bytes]:
    """What a job leaves that makes a SavedModel, its report about the graph in it."""
    given = {**(FILES if files is None else files), **more}
    for name in given:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
    told = report(given["out/saved_model.pb"]) if "out/saved_model.pb" in given else report(b"")
    return leave_output(source, files={"out.report.json": told, **given})


def refused(source: Path, old: Path) -> str:
    """The message, after making sure that nothing changed."""
    before = sorted(old.parent.rglob("*"))
    with pytest.raises(OutputRefusedError) as caught:
        collect(source, old, SAVED_MODEL)
    assert (old / "saved_model.pb").read_bytes() == b"old"
    assert old.with_name("out.report.html").read_bytes() == b"old report"
    assert sorted(path for path in old.parent.rglob("*") if ".quantizing" not in str(path)) == [
        path for path in before if ".quantizing" not in str(path)
    ]
    return caught.value.message


def test_a_good_folder_is_moved(source: Path, tmp_path: Path) -> None:
    files = leave(source)
    (source / "out" / "variables").chmod(0o2711)
    placed = collect(source, tmp_path / "out", SAVED_MODEL)
    assert [path.name for path in placed] == ["out", "out.manifest.json", "out.report.json", "out.report.html"]
    assert placed[0] == tmp_path / "out"
    for name, content in files.items():
        assert (tmp_path / name).read_bytes() == content
    umask = os.umask(0)
    os.umask(umask)
    for path in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert path.stat().st_mode & 0o7777 == (0o777 if path.is_dir() else 0o666) & ~umask


@pytest.mark.parametrize("can_exchange", [True, False])
def test_an_older_one_is_replaced_whole(
    source: Path, old: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(exchange, "_exchange", lambda one, _other: (_ for _ in ()).throw(OSError(22, "no", one)))
    (old / "keras_metadata.pb").write_bytes(b"old")
    leave(source)
    collect(source, old, SAVED_MODEL)
    assert (old / "saved_model.pb").read_bytes() == MODEL
    assert not (old / "keras_metadata.pb").exists()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_failure_at_the_end_puts_the_old_one_back(
    source: Path, old: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(exchange, "_exchange", lambda one, _other: (_ for _ in ()).throw(OSError(38, "no", one)))

    def fail(_self: object) -> None:
        assert (old / "saved_model.pb").read_bytes() == MODEL
        raise OSError(5, "Input/output error", os.fspath(old))

    monkeypatch.setattr(placement._Move, "_sync", fail)
    leave(source)
    assert "Input/output error" in refused(source, old)


def test_a_failure_at_the_end_leaves_no_new_one(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: object) -> None:
        raise OSError(5, "Input/output error", os.fspath(tmp_path))

    monkeypatch.setattr(placement._Move, "_sync", fail)
    leave(source)
    with pytest.raises(OutputRefusedError):
        collect(source, tmp_path / "out", SAVED_MODEL)
    assert [path.name for path in tmp_path.iterdir()] == [".out.quantizing"]


def add_file(folder: Path) -> None:
    (folder / "more").write_bytes(b"x")


def add_deep_file(folder: Path) -> None:
    (folder / "variables" / "more").write_bytes(b"x")


def add_folder(folder: Path) -> None:
    (folder / "empty").mkdir()


def add_link(folder: Path) -> None:
    (folder / "assets" / "more").symlink_to("/etc/hostname")


def add_fifo(folder: Path) -> None:
    os.mkfifo(folder / "more")


@pytest.mark.parametrize("add", [add_file, add_deep_file, add_folder, add_link, add_fifo])
def test_what_the_manifest_does_not_list(source: Path, old: Path, add: object) -> None:
    leave(source)
    add(source / "out")  # type: ignore[operator]
    assert "which its manifest does not list" in refused(source, old)


@pytest.mark.parametrize("name", ["out", "out/variables", "out/assets"])
def test_a_link_in_place_of_a_folder(source: Path, old: Path, name: str) -> None:
    leave(source)
    (source / name).rename(source / "real")
    (source / name).symlink_to(source / "real")
    assert "cannot be opened" in refused(source, old)


@pytest.mark.parametrize(
    "content", [b"", graph(), b"\x08\x01", message(2, b""), message(2, message(2, b"\x08\x01")), MODEL[:-1]]
)
def test_what_is_no_saved_model(source: Path, old: Path, content: bytes) -> None:
    leave(source, {**FILES, "out/saved_model.pb": content})
    assert "out/saved_model.pb is no SavedModel" in refused(source, old)


@pytest.mark.parametrize(
    "name",
    ["out/other.pb", "out/variables/deep/file", "out/../x", "out/assets/..", "out/assets/a/../b", "out//assets/a"]
    + ["out/assets/", "out/assets/a\nb", "out/assets/a/b/c/d/e", "outer/saved_model.pb", "out/assets"],
)
def test_names_that_no_job_makes(source: Path, old: Path, name: str) -> None:
    leave(source)
    listed = [entry(key, content) for key, content in {**FILES, name: b"x"}.items()]
    write_manifest(source, "out", listed)  # type: ignore[arg-type]
    assert "which no job makes" in refused(source, old)


def test_the_other_form(source: Path, old: Path) -> None:
    leave(source, {**FILES, "out.pb": graph()})
    assert "form that was not asked for" in refused(source, old)
    with pytest.raises(OutputRefusedError, match="form that was not asked for"):
        collect(source, old.with_name("out.pb"), PB)


def test_a_report_about_another_graph(source: Path, old: Path) -> None:
    leave(source, {**FILES, "out.report.json": report(b"another")})
    assert "is about another graph than out/saved_model.pb" in refused(source, old)


def test_a_file_that_differs_from_its_manifest(source: Path, old: Path) -> None:
    leave(source)
    (source / "out" / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"cold")
    assert "does not have the hash" in refused(source, old)
