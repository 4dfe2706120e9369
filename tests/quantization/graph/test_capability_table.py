"""The table in docs/reference/int8.md is that of the data file."""

from __future__ import annotations

from pathlib import Path

import pytest

from intel_quantization.ops.snapshots import Snapshot, snapshots
from tests.capabilities.table import BEGIN, END, ROWS, replaced, table

pytestmark = pytest.mark.tensorflow

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "int8.md"


def test_the_page_is_up_to_date():
    """If this fails, run tests/capabilities/table.py."""
    text = PAGE.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert replaced(text, table(snapshots())) == text


def test_versions_that_have_the_same_are_one_column():
    newest = snapshots()[-1]
    nothing = Snapshot("1.0", {})
    lines = table([nothing, newest, Snapshot("9.9", newest.ops)]).splitlines()
    assert lines[0] == "| INT8 form of | op | 1.0 | %s, 9.9 |" % newest.version
    assert len(lines) == len(ROWS) + 2
    assert lines[2] == "| Conv2D | `QuantizedConv2DWithBiasAndRequantize` | – | yes |"
    assert replaced("a\n" + BEGIN + "old\n" + END + "b\n", "new\n") == "a\n" + BEGIN + "new\n" + END + "b\n"
