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
    requirements = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
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
    variant = lock.stem.removeprefix("tensorflow-")
    assert re.search(rf"^intel-tensorflow=={re.escape(variant)}[.\d]*$", source, re.MULTILINE)
