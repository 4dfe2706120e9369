"""The lock files: complete, hashed, and without a word about where they were made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "image/requirements"
LOCKS = sorted(FOLDER.glob("tensorflow-*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    text = lock.read_text("utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line and not line.lstrip().startswith(("#", "--no-binary "))]
    assert len(requirements) > 10
    for line in requirements:
        assert re.match(r"[a-z0-9-]+==\S+", line), line
        assert "--hash=sha256:" in line, line


@pytest.mark.parametrize("path", [*LOCKS, *FOLDER.glob("*.in")], ids=lambda path: path.name)
def test_no_index_and_no_address(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|https?://|file:", text)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_input_says_which_pythons_it_serves(lock: Path) -> None:
    source = lock.with_suffix(".in").read_text("utf-8")
    assert re.search(r"^# python: 3\.\d+( 3\.\d+)*$", source, re.MULTILINE)
    assert re.search(r"^# base: python:3\.\d+\.\d+-", source, re.MULTILINE)
    variant = lock.stem.removeprefix("tensorflow-")
    pinned = r"tensorflow-cpu==2\." if variant == "stock" else rf"intel-tensorflow=={re.escape(variant)}\."
    assert re.search(rf"^{pinned}[.\d]*$", source, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_what_has_no_wheel_is_said(lock: Path) -> None:
    """Everything else comes as a wheel; a package built from source runs code of its own while it is installed."""
    text = lock.read_text("utf-8")
    sources = re.findall(r"^--no-binary (\S+)$", text, re.MULTILINE)
    assert sources in ([], ["gast"])
    assert bool(sources) == ("\ngast==0.2.2 " in text), "gast 0.2.2 has no wheel; later ones have"
