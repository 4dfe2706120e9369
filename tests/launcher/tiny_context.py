"""A build context with the real Dockerfile, no requirements and a package of one line: builds in seconds, offline."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIANT = f"tiny{os.getpid()}"
"""Its own variant, so that a test touches neither the real images, nor their build cache, nor another test run."""

LOCAL_BASE = "quantization-base:py3.11"
REGISTRY_BASE = "python:3.11.0-tiny"

_BACKEND = """\
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "intel_quantization-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        wheel.write("intel_quantization/__init__.py")
        wheel.write("intel_quantization/__main__.py")
        info = "intel_quantization-0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: intel-quantization\\nVersion: 0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "intel-quantization"
version = "0"
"""


def make_tiny_context(root: Path) -> Path:
    """Write it below ``root``, which becomes the context root."""
    requirements = root / "image/requirements"
    package = root / "quantization/intel_quantization"
    requirements.mkdir(parents=True)
    package.mkdir(parents=True)
    shutil.copy(ROOT / "image/Dockerfile", root / "image/Dockerfile")
    shutil.copy(ROOT / "image/site_files.py", root / "image/site_files.py")
    (root / "image/trim_environment.py").write_text("print('nothing to trim')\n")
    (requirements / f"tensorflow-{VARIANT}.txt").write_text("# nothing\n")
    (requirements / f"tensorflow-{VARIANT}.in").write_text(f"# python: 3.11\n# base: {REGISTRY_BASE}\n")
    (root / "quantization/pyproject.toml").write_text(_PROJECT)
    (root / "quantization/backend.py").write_text(_BACKEND)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import sys\nprint('inside', sys.argv[1:])\n")
    return root
