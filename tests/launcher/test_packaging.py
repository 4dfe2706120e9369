from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from launch_quantization.building.context import context_files, variants

ROOT = Path(__file__).resolve().parents[2]
SECTION = "[tool.hatch.build.targets.wheel.force-include]"


def forced() -> dict[str, str]:
    """What the wheel takes from outside the package; read without tomllib, which Python 3.10 lacks."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    section = text.partition(SECTION)[2].partition("\n[")[0]
    return dict(re.findall(r'^"([^"]+)" = "([^"]+)"$', section, re.MULTILINE))


def test_the_wheel_holds_the_whole_build_context() -> None:
    sources = forced()
    for variant in variants():
        for name in context_files(variant):
            assert any(name == source or name.startswith(source + "/") for source in sources), name


def test_what_the_wheel_takes_keeps_its_place() -> None:
    for source, target in forced().items():
        assert (ROOT / source).exists(), source
        assert target == f"launch_quantization/_context/{source}"


def test_the_wheel_takes_no_files_of_a_site() -> None:
    assert not {"image", "image/ca-bundle.crt", "image/pip.conf"} & set(forced())


def test_where_the_project_lives_is_left_to_the_release() -> None:
    """No address is made up: .example can belong to nobody, and the release workflow replaces this very text."""
    address = "https://launch-quantization.example"
    workflow = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    assert f"s#{address}#" in workflow
    for name in ("pyproject.toml", "quantization/setup.cfg"):
        assert name in workflow
        urls = re.findall(r"https?://[^\s\"/]+", (ROOT / name).read_text("utf-8"))
        assert set(urls) == {address}, name


def test_both_halves_are_typed() -> None:
    assert (ROOT / "launcher/py.typed").is_file()
    assert (ROOT / "quantization/intel_quantization/py.typed").is_file()


def test_the_wheel_installs_no_package_with_a_name_that_others_have() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert '\n[tool.hatch.build.targets.wheel.sources]\n"launcher" = "launch_quantization"\n' in text
    assert '"launch_quantization.launch_quantization:main"' in text


def test_a_checkout_has_the_package_under_that_name() -> None:
    link = ROOT / "launch_quantization"
    assert os.readlink(link) == "launcher"


def test_the_entry_needs_no_package_of_its_name_to_be_found(tmp_path: Path) -> None:
    """As in a folder that was copied without its symlinks, under another name."""
    shutil.copytree(ROOT / "launcher", tmp_path / "other", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "other" / "launch_quantization.py"), "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("launch_quantization "), done.stderr
