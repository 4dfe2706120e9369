"""The paths that intel-quantization 1.1 had in a checkout, and its README names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "path",
    [
        "examples/quantize_cmd.py",
        "examples/quantize_python.py",
        "tools/summarize_graph.py",
        "intel_quantization/graph_converter.py",
        "setup.py",
        "setup.cfg",
        "README.md",
        "docker/Dockerfile",
        "docker/launch_quantization.py",
        "launch_quantization.py",
    ],
)
def test_each_is_there(path: str) -> None:
    assert (ROOT / "api" / path).is_file()


def test_the_dockerfile_is_that_of_the_image() -> None:
    assert (ROOT / "api" / "docker").resolve() == ROOT
    assert (ROOT / "Dockerfile").resolve() == ROOT / "image" / "Dockerfile"


@pytest.mark.parametrize("path", ["launch_quantization.py", "docker/launch_quantization.py"])
def test_the_launcher(path: str) -> None:
    done = subprocess.run(
        [sys.executable, path, "--version"],
        cwd=ROOT / "api",
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("launch_quantization ")
