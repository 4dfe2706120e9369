"""What goes into the build context, and that it is the same bytes everywhere."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from launch_quantization.building import context as build_context
from launch_quantization.building.context import (
    context_files,
    context_root,
    digest,
    local_base,
    lock_file,
    pack,
    registry_base,
    supported_pythons,
    variants,
)
from launch_quantization.contract.words import DEFAULT_TENSORFLOW
from launch_quantization.errors import BuildError, UsageError
from tests.launcher.tiny_context import ROOT, VARIANT, make_tiny_context


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_tiny_context(tmp_path / "context")
    monkeypatch.setattr(build_context, "context_root", lambda: root)
    return root


def test_the_checkout_is_the_context_root() -> None:
    assert context_root() == ROOT
    assert DEFAULT_TENSORFLOW in variants()
    assert lock_file(DEFAULT_TENSORFLOW).is_file()


@pytest.mark.parametrize("variant", variants())
def test_each_variant_names_its_base(variant: str) -> None:
    lock = lock_file(variant)
    python = supported_pythons(lock)[0]
    name, _, tag = registry_base(lock).partition(":")
    assert name == "python"
    assert tag.startswith(f"{python}."), "a floating tag would make two builds of one commit differ"
    assert local_base(lock) == f"quantization-base:py{python}"


def test_the_dockerfile_names_the_base_of_the_default_variant() -> None:
    text = (ROOT / build_context.DOCKERFILE).read_text("utf-8")
    assert f"ARG BASE_IMAGE={registry_base(lock_file(DEFAULT_TENSORFLOW))}\n" in text
    assert f"ARG TENSORFLOW={DEFAULT_TENSORFLOW}\n" in text


def test_a_lock_that_does_not_say_which_pythons_it_serves(tmp_path: Path) -> None:
    (tmp_path / "lock.in").write_text("numpy==1\n")
    with pytest.raises(BuildError, match="does not say its python"):
        supported_pythons(tmp_path / "lock.txt")


def test_an_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        lock_file("2.15")
    assert caught.value.message == "--tensorflow 2.15: no such variant"
    assert caught.value.remedy.endswith("there are 1.15, 2.0, 2.1, 2.14, stock")


@pytest.mark.parametrize(
    ("variant", "remedy"), [("2.41", "did you mean 2.14? there are 1.15, 2.14"), ("9", "there are 1.15, 2.14")]
)
def test_only_a_near_variant_is_a_guess(monkeypatch: pytest.MonkeyPatch, variant: str, remedy: str) -> None:
    monkeypatch.setattr(build_context, "variants", lambda: ("1.15", "2.14"))
    with pytest.raises(UsageError) as caught:
        lock_file(variant)
    assert caught.value.remedy == remedy


def test_packing_does_not_depend_on_times_owners_or_modes(tiny: Path) -> None:
    first = pack(context_files(VARIANT))
    for path in tiny.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    assert pack(context_files(VARIANT)) == first


def test_the_archive_is_sorted_and_owned_by_root(tiny: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(context_files(VARIANT)))) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, 0)}
    assert {entry.mode for entry in entries if entry.isdir()} == {0o755}
    assert {entry.mode for entry in entries if entry.isfile()} == {0o644}


def test_what_tools_leave_beside_the_sources_stays_out(tiny: Path) -> None:
    before = context_files(VARIANT)
    for name in ("__pycache__/a.pyc", "build/lib/a.py", "dist/a.whl", "x.egg-info/PKG-INFO", ".mypy_cache/a", "a.pyc"):
        path = tiny / "quantization" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left behind")
    for name in ("image/ca-bundle.crt", "image/pip.conf", "image/base/make_base.sh", "secret.txt"):
        path = tiny / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("not part of the project")
    assert context_files(VARIANT) == before


@pytest.mark.parametrize("kind", ["link", "fifo", "missing"])
def test_only_regular_files_are_taken(tiny: Path, kind: str) -> None:
    path = tiny / "image/trim_environment.py"
    path.unlink()
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(BuildError, match=r"trim_environment\.py"):
        context_files(VARIANT)


def test_a_link_to_a_directory_is_not_followed(tiny: Path) -> None:
    (tiny / "quantization/elsewhere").symlink_to("/etc")
    with pytest.raises(BuildError, match="elsewhere"):
        context_files(VARIANT)


def test_a_digest_tells_its_parts_apart() -> None:
    assert digest(b"ab", b"c") != digest(b"a", b"bc")


def test_a_plain_docker_build_sends_the_same_files() -> None:
    """.dockerignore and the launcher's list must not drift apart."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "image", "quantization"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rules = (ROOT / ".dockerignore").read_text().split()
    assert {"*", "!image", "!quantization", "image/base", "**/__pycache__", "**/*.pyc"} <= set(rules)
    assert "image/ca-bundle.crt" not in rules, "a plain build takes the company CA from there"
    ours = {name for variant in variants() for name in context_files(variant)}
    theirs = {
        name
        for name in listed.stdout.splitlines()
        if (ROOT / name).is_file()
        and not name.startswith("image/base/")
        and Path(name).suffix not in (".in", ".sh")
        and not any(part.startswith(".") for part in Path(name).parts)
    }
    assert ours == theirs
