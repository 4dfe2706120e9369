"""The wheel launch-quantization-core, made the old way: all of the package, nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "quantization"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", str(folder)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_its_name_says_that_any_python_takes_it(wheel: zipfile.ZipFile) -> None:
    assert Path(str(wheel.filename)).name.startswith("launch_quantization_core-")
    assert Path(str(wheel.filename)).name.endswith("-py3-none-any.whl")


def test_it_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    ours = {
        path.relative_to(PACKAGE).as_posix()
        for path in (PACKAGE / "intel_quantization").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    ours.add("intel_quantization/config/models.json")  # beside the package in a checkout, as in 1.1
    theirs = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert theirs == ours
    assert "intel_quantization/py.typed" in theirs


def test_its_metadata(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    text = wheel.read(name).decode("utf-8")
    assert "\nName: launch-quantization-core\n" in text
    assert "\nRequires-Python: >=3.7\n" in text
    assert re.search(r"^License(-Expression)?: Apache-2\.0$", text, re.MULTILINE)
    for field in ("Author", "Keywords", "Project-URL"):
        assert f"\n{field}: " in text
    assert "\nRequires-Dist: jinja2>=3.0\n" in text
    assert "tensorflow" not in {
        line.split()[1].lower() for line in text.splitlines() if line.startswith("Requires-Dist:")
    }, "which TensorFlow it is, the user chose"


def test_its_commands(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "summarize_graph = intel_quantization.tools.summarize_graph:main" in wheel.read(name).decode("utf-8")
