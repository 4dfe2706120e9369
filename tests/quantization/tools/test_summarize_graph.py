"""The tool: as a module, at the place where 1.1 had it, and as SummarizeGraph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import write_graph
from intel_quantization.tools.summarize_graph import SummarizeGraph, main
from tests.quantization.builders import build, conv_block, dense, image

pytestmark = pytest.mark.tensorflow
ROOT = Path(__file__).resolve().parents[3] / "quantization"


@pytest.fixture(name="path")
def _path(tmp_path):
    graph_def = build(lambda: dense(conv_block(image(), "c")[:, 0, 0, :], name="predict"))
    write_graph(graph_def, str(tmp_path / "g.pb"))
    (tmp_path / "g.pbtxt").write_text(text_format.MessageToString(graph_def))
    (tmp_path / "text.pb").write_text(text_format.MessageToString(graph_def))
    return tmp_path / "g.pb"


@pytest.mark.parametrize(
    "flags",
    [
        ["--in_graph=g.pb", "--input_binary"],
        ["-g", "g.pb", "-b"],
        ["--in_graph=g.pb"],
        ["--in_graph=g.pbtxt"],
        ["--in_graph=text.pb"],
        ["--in_graph=text.pb", "--text"],
    ],
)
def test_flags_of_the_first_version(path, monkeypatch, capsys, flags):
    monkeypatch.chdir(path.parent)
    assert main(flags) == 0
    shown = capsys.readouterr().out
    assert "Found 1 possible inputs:\n(name=input, type=float(1), shape=[?,8,8,4])\n" in shown
    assert "Found 1 possible outputs:\n(name=predict, op=MatMul, type=float(1))\n" in shown
    assert "May become INT8 once calibrated: 2 of 2" in shown
    assert "Op types used: " in shown


def test_json_and_all(path, capsys):
    assert main(["-g", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["name"] == "predict:0"
    assert main(["-g", str(path), "--all", "--outputs", "c"]) == 0
    assert "(name=c, op=Conv2D, candidate)" in capsys.readouterr().out


def test_errors(path, capsys):
    path.write_bytes(path.read_bytes()[:99])
    for name in (str(path), str(path.with_name("none.pb"))):
        assert main(["--in_graph", name]) == 3
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("summarize_graph: ")
        assert "Traceback" not in shown.err
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_as_a_function(path, capsys):
    assert SummarizeGraph(str(path)) == (["input"], ["predict"])
    assert "possible inputs" in capsys.readouterr().out
    assert SummarizeGraph(str(path.with_name("g.pbtxt")), input_binary=False) == (["input"], ["predict"])
    for missing in (None, "", str(path.with_name("none.pb"))):
        with pytest.raises(BadInputError, match="does not exist"):
            SummarizeGraph(missing)


def call(command, **options):
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return subprocess.run(
        [sys.executable, *command],
        cwd=str(ROOT),
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **{"stdout": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize("command", [["-m", "intel_quantization.tools.summarize_graph"], ["tools/summarize_graph.py"]])
def test_as_a_program(path, command):
    done = call([*command, f"--in_graph={path}", "--input_binary"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Found 1 possible inputs:")


def test_the_reader_may_leave(path):
    reader, writer = os.pipe()
    os.close(reader)
    done = call(["tools/summarize_graph.py", f"--in_graph={path}"], stdout=writer)
    os.close(writer)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_without_tensorflow(path):
    code = "import sys; sys.modules['tensorflow'] = None\n"
    code += "from intel_quantization.tools.summarize_graph import main; sys.exit(main(['-g', 'x.pb']))"
    done = call(["-c", code])
    assert done.returncode == 6
    assert done.stderr.startswith("summarize_graph: ")
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
