"""The tool: as a module, at the place where 1.1 had it, and as SummarizeGraph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import text_format

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import write_graph
from intel_quantization.tools.first_version import lines
from intel_quantization.tools.summarize_graph import SummarizeGraph, main
from tests.quantization.builders import build, conv_block, dense, image, v1

pytestmark = pytest.mark.tensorflow
ROOT = Path(__file__).resolve().parents[3] / "quantization"


@pytest.fixture(name="path")
def _path(tmp_path):
    graph_def = build(lambda: dense(conv_block(image(), "c")[:, 0, 0, :], name="predict"))
    write_graph(graph_def, str(tmp_path / "g.pb"))
    (tmp_path / "g.pbtxt").write_text(text_format.MessageToString(graph_def))
    (tmp_path / "text.pb").write_text(text_format.MessageToString(graph_def))
    return tmp_path / "g.pb"


# What 1.1 prints for that graph, character by character.
OF_1_1 = (
    "Found  1  possible inputs: \n"
    "(name=input, type=float(1), shape=[-1, 8, 8, 4])\n"
    "Found  1  possible outputs: \n"
    "(name=predict, op=MatMul)\n"
    "Op types used: \n"
    "6  Const ,1  Placeholder ,1  Conv2D ,1  BiasAdd ,1  Relu ,1  StridedSlice ,1  MatMul ,\n"
)


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
    assert shown.startswith(OF_1_1)
    ours = shown[len(OF_1_1) :]
    assert "A conversion feeds input (float32, [?,8,8,4])\nA conversion keeps predict (MatMul, float32)\n" in ours
    assert "May become INT8 once calibrated: 2 of 2" in ours


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
    assert done.stdout.startswith(OF_1_1)


def test_in_a_checkout_without_a_path(path):
    """As 1.1's file, which stood alone."""
    done = subprocess.run(
        [sys.executable, str(ROOT.parent / "api" / "tools" / "summarize_graph.py"), "-g", str(path)],
        cwd=str(path.parent),
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(OF_1_1)


def test_what_the_first_version_said_of_odd_graphs():
    def odd():
        v1.placeholder(tf.int64, name="any")
        v1.placeholder(tf.float16, (), name="scalar")
        with tf.control_dependencies([v1.placeholder(tf.bool, [2], name="waited")]):
            tf.no_op(name="nothing")

    text = lines(build(odd))
    assert text[:6] == [
        "Found  3  possible inputs: ",
        "(name=any, type=int64(9), shape=[])",
        "(name=scalar, type=half(19), shape=[])",
        "(name=waited, type=bool(10), shape=[2])",
        "Found  2  possible outputs: ",
        "(name=any, op=Placeholder)",
    ]
    assert text[-2:] == ["Op types used: ", "3  Placeholder ,1  NoOp ,"]
    assert lines(build(lambda: tf.constant(1.0))) == [
        "No input spotted.",
        "No outputs spotted.",
        "Op types used: ",
        "1  Const ,",
    ]
    bare = build(odd)
    bare.node[0].attr.clear()
    assert lines(bare)[1] == "(name=any, type=INVALID(0), shape=None)"


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
