"""Frozen graphs on disk: what is read, what is refused and how, and writing whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest
import tensorflow as tf

from intel_quantization.errors import BadInputError, OutputError, QuantizationError
from intel_quantization.graph import io
from tests.quantization.builders import build, conv_block, image, v1

pytestmark = pytest.mark.tensorflow


@pytest.fixture(name="graph_def")
def _graph_def():
    return build(lambda: conv_block(image(), "c"))


def test_what_is_written_is_read(tmp_path, graph_def):
    path = str(tmp_path / "new" / "g.pb")
    io.write_graph(graph_def, path)
    assert io.read_graph(path) == graph_def
    assert os.path.getsize(path) == io.graph_size(graph_def)
    assert os.listdir(os.path.dirname(path)) == ["g.pb"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644


def test_writing_is_deterministic(tmp_path, graph_def):
    for name in ("a", "b"):
        io.write_graph(graph_def, str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_existing_file_is_replaced(tmp_path, graph_def):
    path = tmp_path / "g.pb"
    path.write_bytes(b"old")
    io.write_graph(graph_def, str(path))
    assert io.read_graph(str(path)) == graph_def


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.99])
def test_a_truncated_file(tmp_path, graph_def, keep):
    data = graph_def.SerializeToString()
    path = tmp_path / "g.pb"
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BadInputError, match=r"g\.pb is not a binary frozen graph") as caught:
        io.read_graph(str(path))
    assert "truncated" in caught.value.remedy


@pytest.mark.parametrize("data", [b"", b"\xff" * 100, b"node { name: 'a' op: 'NoOp' }\n"])
def test_other_bytes(tmp_path, data):
    path = tmp_path / "g.pb"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=r"g\.pb"):
        io.read_graph(str(path))


def test_a_saved_model_is_named_as_such(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        x = image()
        out = tf.nn.relu(x)
        v1.saved_model.simple_save(session, str(tmp_path / "saved"), {"x": x}, {"out": out})
    with pytest.raises(BadInputError) as caught:
        io.read_graph(str(tmp_path / "saved" / "saved_model.pb"))
    assert "SavedModel" in caught.value.remedy


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        io.read_graph(str(tmp_path / "none.pb"))
    with pytest.raises(BadInputError, match="Is a directory"):
        io.read_graph(str(tmp_path))


def test_over_two_gigabytes_is_refused_before_reading(tmp_path, graph_def, monkeypatch):
    path = str(tmp_path / "g.pb")
    io.write_graph(graph_def, path)
    monkeypatch.setattr(io, "PROTOBUF_LIMIT", 100)
    with pytest.raises(BadInputError, match="2 GB"):
        io.read_graph(path)
    with pytest.raises(QuantizationError, match="2 GB"):
        io.write_graph(graph_def, str(tmp_path / "h.pb"))
    assert os.listdir(str(tmp_path)) == ["g.pb"]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "g.pb"
    path.write_bytes(b"old")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot write .*/g.pb: No space left") as caught:
        io.write_atomically(str(path), b"new")
    assert "make room" in caught.value.remedy
    assert os.listdir(str(tmp_path)) == ["g.pb"]
    assert path.read_bytes() == b"old"


def test_writing_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(QuantizationError, match="cannot write"):
        io.write_atomically(str(tmp_path / "file" / "g.pb"), b"x")
    (tmp_path / "directory").mkdir()
    with pytest.raises(QuantizationError, match="Is a directory"):
        io.write_atomically(str(tmp_path / "directory"), b"x")
    assert sorted(os.listdir(str(tmp_path))) == ["directory", "file"]
