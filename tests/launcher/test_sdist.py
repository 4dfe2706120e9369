"""Source distributions: whole enough to build the wheel from, which then holds and does what a checkout's does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from launch_quantization.building.context import context_files, variants

ROOT = Path(__file__).resolve().parents[2]
LEAVINGS = shutil.ignore_patterns("__pycache__", "build", "dist", "*.egg-info", ".*")


def build(source: Path, kind: str, folder: Path) -> Path:
    """The one distribution of this kind ("sdist" or "wheel")."""
    done = subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    (path,) = folder.iterdir()
    return path


def unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def content(wheel: Path) -> dict[str, bytes]:
    """By name, without the wheel's record of itself."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def run(command: list[str], installed: Path) -> str:
    """What a program says that has the installed packages before all others, far from any checkout."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _is_leaving(part: str) -> bool:
    return part in ("__pycache__", "build", "dist") or part.startswith(".") or part.endswith(".egg-info")


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The launcher's source distribution, and the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("launcher")
    sdist = build(ROOT, "sdist", folder / "sdist")
    return sdist, build(unpack(sdist, folder / "source"), "wheel", folder / "wheel")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same of the inside, with the licence beside it, as ``make wheel`` does."""
    folder = tmp_path_factory.mktemp("core")
    shutil.copytree(ROOT / "quantization", folder / "checkout", ignore=LEAVINGS)
    shutil.copy(ROOT / "LICENSE", folder / "checkout")
    sdist = build(folder / "checkout", "sdist", folder / "sdist")
    return sdist, build(unpack(sdist, folder / "source"), "wheel", folder / "wheel")


def test_the_launchers_wheel_is_that_of_the_checkout(launcher: tuple[Path, Path], tmp_path: Path) -> None:
    assert content(launcher[1]) == content(build(ROOT, "wheel", tmp_path))


def test_the_launcher_that_is_installed_from_it_has_all_it_builds_from(
    launcher: tuple[Path, Path], tmp_path: Path
) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(launcher[1]) as archive:
        archive.extractall(installed)
    assert run(["-m", "launch_quantization.launch_quantization", "--version"], installed).startswith("launch_quant")
    program = (
        "from launch_quantization.building import context\nimport sys\n"
        "print(context.context_root())\n"
        "for variant in context.variants():\n"
        "  for name, data in context.context_files(variant).items(): print(variant, name, len(data))"
    )
    said = run(["-c", program], installed).splitlines()
    assert said[0] == str(installed / "launch_quantization/_context")
    assert said[1:] == [
        f"{variant} {name} {len(data)}" for variant in variants() for name, data in context_files(variant).items()
    ]


def test_the_launchers_sources_are_whole(launcher: tuple[Path, Path]) -> None:
    with tarfile.open(launcher[0]) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for folder in ("launcher", "quantization/intel_quantization", "tests", "docs", "image/requirements"):
        there = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
        ours = {path.as_posix() for path in there if not any(_is_leaving(part) for part in path.parts)}
        assert ours <= names, folder
    assert not {"image/ca-bundle.crt", "image/pip.conf"} & names


def test_the_core_that_is_installed_from_it_is_whole(core: tuple[Path, Path], tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    with zipfile.ZipFile(core[1]) as archive:
        archive.extractall(installed)
    package = ROOT / "quantization/intel_quantization"
    ours = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    there = installed / "intel_quantization"
    assert ours <= {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert (there / "config/models.json").is_file()
    assert any(name.endswith("LICENSE") for name in content(core[1]))
    program = (
        "import intel_quantization, intel_quantization.contract.options as options; "
        "print(intel_quantization.__version__, options.__file__)"
    )
    assert str(there) in run(["-c", program], installed)
