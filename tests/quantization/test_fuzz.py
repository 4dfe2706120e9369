"""A few of the damaged graphs and data files of ``make fuzz``: each is read, or an error that a user understands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.cases import KINDS, Cases

pytestmark = pytest.mark.tensorflow

EXAMPLES = 40


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("kind", list(dict.fromkeys(kind.strip() for kind in KINDS)))
def test_no_traceback(folder, kind):
    cases = Cases(folder, kind=kind, convert=False)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(st.integers(0, 2**32))
    def check(number):
        _, outcome = cases.run(number)
        assert not outcome.startswith("!"), outcome

    check()
