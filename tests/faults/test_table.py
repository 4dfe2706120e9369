"""What counts as honest, and what the table says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.engine_faults import faults
from tests.faults.place import OLD, Place
from tests.faults.table import Row, markdown
from tests.launcher.support import graph


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, "local", {}).fill(graph(), images=1)


def test_an_honest_failure(place: Place) -> None:
    row = place.judged("a fault", 3, 3, "note\nerror: what | happened\n  what to do\n")
    assert (row.honest, row.told, row.left) == (True, "error: what | happened", ())
    assert "| a fault | local | 3 | error: what \\| happened |  |  | nothing | yes |" in markdown({"local": [row]}, [])


@pytest.mark.parametrize(
    ("code", "told", "complaint"),
    [
        (8, "error: what\n", "exit code 8"),
        (3, "", "0 errors told"),
        (3, "error: one\nerror: two\n", "2 errors told"),
        (3, "Traceback (most recent call last):\nerror: x\n", "a traceback"),
        (0, "", "still there"),
    ],
)
def test_what_is_not_honest(place: Place, code: int, told: str, complaint: str) -> None:
    row = place.judged("a fault", 3, code, told)
    assert any(complaint in one for one in row.complaints)
    assert "NO: " in markdown({"local": [row]}, ["docker: no engine"])


def test_what_is_left_and_what_is_lost(place: Place) -> None:
    (place.folder / ".hidden").touch()
    place.output.write_bytes(OLD + b"!")
    row = place.judged("a fault", 3, 3, "error: x\n")
    assert set(row.complaints) == {"something is left", "the old output is gone"}


def test_each_call_meets_each_mishap() -> None:
    names = [fault.name for fault in faults()]
    assert len(names) == len(set(names)) > 80
    assert Row("a", "b", 0, 0, "").honest
