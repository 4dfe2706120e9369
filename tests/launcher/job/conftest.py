from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A file that is called a graph; what is in it nobody looks at yet."""
    path = tmp_path / "net.pb"
    path.write_bytes(b"graph")
    return path
