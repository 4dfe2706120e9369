"""A few of the cases of ``make fuzz``: each is read, or an error that a user understands, or INT8 does what is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz, guided
from tests.fuzz.cases import COMPARED, KINDS, Cases
from tests.fuzz.readers import NAMES

pytestmark = pytest.mark.tensorflow

EXAMPLES, COMPARED_EXAMPLES = 40, 24


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in COMPARED])
def test_no_finding(folder, kind):
    cases = Cases(folder, kind=kind, convert=False)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(st.integers(0, 2**32))
    def check(number):
        _, outcome = cases.run(number)
        assert not outcome.startswith("!"), outcome

    check()


@pytest.mark.parametrize("kind", COMPARED)
def test_no_finding_where_the_graph_runs(tmp_path, kind):
    """In a process of its own: a changed graph may have a loop without end, or make a kernel abort."""
    report = tmp_path / "report.txt"
    command = [sys.executable, fuzz.__file__, "--kind", kind, "--cases", str(COMPARED_EXAMPLES)]
    command += ["--report", str(report)]
    ended = subprocess.run(
        command,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert report.read_text().startswith(f"{COMPARED_EXAMPLES} cases in ")


def test_the_guided_fuzzer_knows_its_readers():
    """As ``make fuzz`` calls it: by its path, without the tests or the package on Python's own."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    listed = subprocess.run(
        [sys.executable, guided.__file__, "--list"], env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    assert listed.stdout.split("\n")[:-1] == list(NAMES)
