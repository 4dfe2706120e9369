"""The trimming of shared libraries: what the loader needs stays, and only that."""

from __future__ import annotations

import _ctypes
import ctypes
import importlib.util
import shutil
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trim() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trim_environment", ROOT / "image/trim_environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_library() -> Path:
    """Some shared library with sections after its last mapped byte."""
    return Path(_ctypes.__file__)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF libraries are Linux's")
def test_a_trimmed_library_still_loads(trim: ModuleType, tmp_path: Path) -> None:
    copy = Path(shutil.copy(a_library(), tmp_path / "copy.so"))
    before = copy.stat().st_size
    saved = trim.drop_symbols(copy)
    assert saved > 0
    assert copy.stat().st_size == before - saved
    assert struct.unpack_from("<Q", copy.read_bytes(), 40) == (0,), "no section table is announced any more"
    assert ctypes.CDLL(str(copy)).PyInit__ctypes
    assert trim.drop_symbols(copy) == 0, "a second time changes nothing"


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 20, b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_no_library_is_left_alone(trim: ModuleType, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.so"
    path.write_bytes(content)
    assert trim.drop_symbols(path) == 0
    assert path.read_bytes() == content


def test_a_part_that_is_not_there_is_an_error(
    trim: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "SITE", tmp_path)
    with pytest.raises(SystemExit, match="UNUSED_PARTS"):
        trim.remove_parts()
