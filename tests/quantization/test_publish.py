"""Outputs appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from intel_quantization.errors import OutputError
from intel_quantization.publish import Publication


def put(publication, suffix, text):
    path = publication.path(suffix)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(text)


def test_nothing_is_seen_before_the_commit_and_all_of_it_after(tmp_path):
    with Publication(str(tmp_path), "net") as publication:
        put(publication, ".pb", "graph")
        put(publication, ".intermediate/1_read.pb", "step")
        assert not [name for name in os.listdir(tmp_path) if not name.startswith(".")]
        names = publication.commit()
    assert names == ["net.intermediate/1_read.pb", "net.manifest.json", "net.pb"]
    assert sorted(os.listdir(tmp_path)) == ["net.intermediate", "net.manifest.json", "net.pb"]
    manifest = json.loads((tmp_path / "net.manifest.json").read_text())
    assert manifest["schema"] == 1
    assert {entry["name"]: (entry["size"], entry["sha256"]) for entry in manifest["files"]} == {
        "net.pb": (5, hashlib.sha256(b"graph").hexdigest()),
        "net.intermediate/1_read.pb": (4, hashlib.sha256(b"step").hexdigest()),
    }


def test_a_failure_leaves_the_old_files_as_they_were(tmp_path):
    (tmp_path / "net.pb").write_text("old")
    publication = Publication(str(tmp_path), "net")
    put(publication, ".pb", "new")
    publication.__exit__(RuntimeError, RuntimeError(), None)
    assert os.listdir(tmp_path) == ["net.pb"]
    assert (tmp_path / "net.pb").read_text() == "old"


def test_a_second_run_replaces_the_first(tmp_path):
    for text in ("first", "second"):
        with Publication(str(tmp_path), "net") as publication:
            put(publication, ".pb", text)
            put(publication, f".intermediate/{text}.pb", text)
            publication.commit()
    assert (tmp_path / "net.pb").read_text() == "second"
    assert os.listdir(tmp_path / "net.intermediate") == ["second.pb"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write to .*gone: No such file"):
        Publication(str(tmp_path / "gone"), "net")


def test_no_room_names_the_output(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*/net\.pb: No space left") as caught, Publication(
        str(tmp_path), "net"
    ):
        raise OSError(28, "No space left on device")
    assert "make room" in caught.value.remedy
    with pytest.raises(BrokenPipeError), Publication(str(tmp_path), "net"):
        raise BrokenPipeError(32, "Broken pipe")
    assert os.listdir(tmp_path) == []
