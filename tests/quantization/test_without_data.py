"""A job with ``--data none``: it calibrates on made-up pictures, warns, and says in the report what that is worth."""

from __future__ import annotations

import json

import pytest

from intel_quantization.job_stages.without_data import EXPECTED
from tests.quantization.test_main import by_name, job, make_workspace, run


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("workspace"))


def test_no_data_at_all(workspace):
    status, events, log = run(workspace, "--job", job(data="none", data_location=None, samples=8, threads=1))
    assert status == 0, log
    (warning,) = [event["message"] for event in by_name(events, "log") if "--data none" in event["message"]]
    assert warning.startswith("--data none: 8 made-up pictures; no data: ")
    assert EXPECTED in warning
    (result,) = by_name(events, "result")
    assert result["accuracy"] is None
    assert result["calibration"]["algorithm"] == "DIRECT"
    assert result["calibration"]["made_up"] in warning
    report = json.loads((workspace / "output" / "in_int8.report.json").read_text())
    assert report["calibration"]["made_up"] == result["calibration"]["made_up"]
    assert report["options"]["data"] == "none"
    assert EXPECTED in (workspace / "output" / "in_int8.report.html").read_text()


def test_data_are_compared_on_and_not_calibrated_on(workspace):
    graphs = []
    for changes in ({"data_location": None}, {}):
        status, events, log = run(
            workspace, "--job", job(data="none", samples=8, threads=1, preprocess="tf", **changes)
        )
        assert status == 0, log
        graphs.append((workspace / "output" / "in_int8.pb").read_bytes())
    assert graphs[0] == graphs[1]
    (result,) = by_name(events, "result")
    assert result["accuracy"]["images"] == 32
    assert result["calibration"]["unit"] == "pictures"
