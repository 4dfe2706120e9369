"""Text graphs: read as they are, and refused with the line that is wrong."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from intel_quantization.errors import BadInputError
from intel_quantization.graph import io
from intel_quantization.reading.text_graph import read_text_graph
from tests.quantization.builders import build, conv_block, image

pytestmark = pytest.mark.tensorflow


@pytest.fixture(name="graph_def")
def _graph_def():
    return build(lambda: conv_block(image(), "c"))


def test_a_text_graph(tmp_path, graph_def):
    (tmp_path / "g.pbtxt").write_text(text_format.MessageToString(graph_def))
    assert read_text_graph(str(tmp_path / "g.pbtxt")) == graph_def


def test_the_line_of_an_error(tmp_path):
    path = tmp_path / "g.pbtxt"
    path.write_text('node {\n  name: "a"\n  opp: "Const"\n}\n')
    with pytest.raises(BadInputError, match=r"g\.pbtxt is not a text graph: 3:") as caught:
        read_text_graph(str(path))
    assert "\n" not in caught.value.message


def test_other_contents(tmp_path, graph_def):
    for data in (b"", graph_def.SerializeToString(), b"\xff\xfe", b"versions { producer: 1 }"):
        (tmp_path / "g.pbtxt").write_bytes(data)
        with pytest.raises(BadInputError, match=r"g\.pbtxt"):
            read_text_graph(str(tmp_path / "g.pbtxt"))
    with pytest.raises(BadInputError, match="No such file"):
        read_text_graph(str(tmp_path / "none.pbtxt"))


def test_a_text_whose_graph_is_over_two_gigabytes(tmp_path, graph_def, monkeypatch):
    text = text_format.MessageToString(graph_def)
    (tmp_path / "g.pbtxt").write_text(text)
    monkeypatch.setattr(io, "PROTOBUF_LIMIT", len(text) - 1)
    with pytest.raises(BadInputError, match="2 GB"):
        read_text_graph(str(tmp_path / "g.pbtxt"))
