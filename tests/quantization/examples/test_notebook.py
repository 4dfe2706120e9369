"""The script and the notebook of the Python API run, cell by cell, and say what their texts promise."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow
EXAMPLES = Path(__file__).resolve().parents[3] / "quantization" / "examples"
NOTEBOOK = EXAMPLES / "quantize_array.ipynb"


def run(folder, *arguments):
    """The output of the script."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "quantize_array.py"), *map(str, arguments)],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=str(EXAMPLES.parent)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_script(tmp_path):
    status, shown, log = run(tmp_path)
    assert status == 0, log
    assert re.search(r"^Conv2D +2 +2$", shown, re.MULTILINE)
    (same,) = re.findall(r"same answer for ([\d.]+) %", shown)
    (noise,) = re.findall(r"signal to noise ([\d.]+) dB", shown)
    assert float(same) >= 90
    assert float(noise) > 25


def test_the_script_on_a_graph_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from quantize_array import small_network

    (tmp_path / "net.pb").write_bytes(small_network().SerializeToString())
    np.save(str(tmp_path / "data.npy"), np.random.RandomState(2).uniform(-1, 1, (8, 32, 32, 3)))
    status, shown, log = run(tmp_path, "net.pb", "data.npy")
    assert status == 0, log
    assert "MatMul                      1     1" in shown
    (tmp_path / "net.pb").write_bytes(b"no graph")
    status, _shown, log = run(tmp_path, "net.pb", "data.npy")
    assert status == 1
    assert "net.pb" in log
    assert "Traceback" not in log


def cells(kind):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook(tmp_path, monkeypatch, capsys):
    """Each cell is executed, as Jupyter does: statements, then what the last expression is."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    names, values = {}, []
    for cell in cells("code"):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            values.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    shown = capsys.readouterr().out
    assert {row.op: row.int8 for row in values[1]} == {"Conv2D": 2, "MatMul": 1, "MaxPool": 1}
    assert all(reason for _node, reason in values[2])
    assert re.search(r"same answer for (9\d|100)\.\d %", shown)
    assert (tmp_path / "small_int8.pb").stat().st_size > 1000


def test_its_outputs_are_there_for_who_only_reads_it():
    for cell in cells("code")[1:-1]:
        assert cell["outputs"], cell["source"]
        assert all(output["output_type"] != "error" for output in cell["outputs"])
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(root|home|work|tmp)/", text)
