"""What a hostile process tries is stopped by every wall, and done where there is none."""

from __future__ import annotations

import os

import pytest

from tests.faults.hostile import DONE, outcome, tried

_NEED_RIGHTS = {
    "reads_the_memory_of_a_process",
    "gains_a_namespace",
    "mounts",
    "gives_a_file_away",
    "types_into_the_terminal",
}
"""Whom the machine lets do this depends on its settings; root may."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "wall",
    [pytest.param("docker", marks=pytest.mark.engine), pytest.param("bwrap", marks=pytest.mark.bwrap)],
)
def test_a_wall_stops_every_attempt(wall: str) -> None:
    found = tried(wall)
    assert [attempt for attempt, what in found.items() if what == DONE] == []
    assert len(found) == 18


@pytest.mark.slow
def test_without_a_wall_the_attempts_are_done() -> None:
    """So that the test above fails where the wall is what is missing."""
    refused = _NEED_RIGHTS if os.geteuid() != 0 else set()
    found = {attempt: what for attempt, what in tried("none").items() if attempt not in refused}
    assert {attempt: what for attempt, what in found.items() if what != DONE} == {}


@pytest.mark.parametrize(
    ("said", "shown", "expected"),
    [
        ("done", None, "done"),
        ("done", True, "done"),
        ("stopped: EPERM", True, "done"),
        ("stopped: EPERM", False, "stopped: EPERM"),
        ("stopped: EPERM", None, "stopped: EPERM"),
        ("done", False, "stopped: it reached something else than the host's"),
    ],
)
def test_the_host_decides(said: str, shown: bool | None, expected: str) -> None:
    assert outcome(said, shown) == expected
