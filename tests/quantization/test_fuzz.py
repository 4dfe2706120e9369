"""A few of the cases of ``make fuzz``: each is read, or an error that a user understands, or INT8 does what is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.cases import COMPARED, KINDS, Cases

pytestmark = pytest.mark.tensorflow

EXAMPLES, COMPARED_EXAMPLES = 40, 12


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_finding(folder, kind):
    cases = Cases(folder, kind=kind, convert=False)

    @settings(
        max_examples=COMPARED_EXAMPLES if kind in COMPARED else EXAMPLES, deadline=None, database=None, derandomize=True
    )
    @given(st.integers(0, 2**32))
    def check(number):
        _, outcome = cases.run(number)
        assert not outcome.startswith("!"), outcome

    check()
