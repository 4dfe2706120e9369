"""verify: which files are not as their manifest says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launch_quantization.commands.cli import main
from tests.launcher.support import leave_output, write_manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    leave_output(tmp_path, files={"out.pb": b"graph", "out.report.html": b"<html>"})
    return tmp_path / "out.manifest.json"


def test_all_is_as_it_was(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(manifest)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == [f"as it was   out.{name}" for name in ("pb", "report.html", "report.json")]


def test_one_byte_is_another(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.with_name("out.pb").write_bytes(b"grapi")
    manifest.with_name("out.report.html").unlink()
    assert main(["verify", str(manifest)]) == 14
    said = capsys.readouterr()
    assert "changed     out.pb" in said.out
    assert "missing     out.report.html" in said.out
    assert "as it was   out.report.json" in said.out
    assert said.err.startswith("error: 2 not as out.manifest.json says")


def test_inputs_are_asked_of_one_that_has_none(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(manifest), "--inputs"]) == 3
    assert "does not say what went in" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["a", "b"], ["a", "--json"]])
def test_what_is_no_call(words: list[str]) -> None:
    assert main(["verify", *words]) == 2


def test_names_are_made_safe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(tmp_path, "out", [{"name": "\x1b[31mred", "size": 1, "sha256": "0"}])
    assert main(["verify", str(tmp_path / "out.manifest.json")]) == 14
    assert "\x1b" not in capsys.readouterr().out


def test_a_path_that_leads_elsewhere_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.manifest.json").write_text(
        json.dumps({"schema": 1, "files": [{"name": "../secret", "size": 1, "sha256": "0"}]})
    )
    assert main(["verify", str(tmp_path / "out.manifest.json")]) == 3
    assert "names a file elsewhere" in capsys.readouterr().err
