from __future__ import annotations

from collections.abc import Iterator

import pytest

from launch_quantization.runtimes.docker.engine import Engine, connect


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The engine of this machine."""
    engine = connect()
    yield engine
    engine.close()
