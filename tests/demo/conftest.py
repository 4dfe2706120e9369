"""The demo's modules are scripts beside each other; they are imported from their folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).resolve().parents[2] / "quantization" / "examples" / "digits"


@pytest.fixture
def digits(monkeypatch) -> Path:
    """The demo's folder, importable."""
    monkeypatch.syspath_prepend(str(DIGITS))
    yield DIGITS
    for name in ("data", "demo"):
        sys.modules.pop(name, None)
