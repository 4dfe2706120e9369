"""Pictures that a report draws: a tensor's range, and points against milliseconds."""

from __future__ import annotations

import pytest

from intel_quantization.report.range_chart import range_chart
from intel_quantization.report.tradeoff import tradeoff
from tests.quantization.report.reports import BLAME, REPORT, TENSOR, TUNING


def test_the_ends_of_a_range_are_where_its_values_are():
    found = range_chart(TENSOR)
    assert 0 < found["low"] < found["high"] < found["width"]
    assert (found["high"] - found["low"]) / found["width"] == pytest.approx(0.5, abs=0.05)  # 3 of 6
    assert found["path"].startswith("M")
    assert found["zero"] is not None


def test_a_range_far_outside_is_not_in_sight():
    found = range_chart(dict(TENSOR, high=100.0))
    assert found["high"] is None
    assert found["low"] is not None
    assert range_chart(dict(TENSOR, counts=[]))["path"] == ""
    assert range_chart(dict(TENSOR, minimum=2.0, maximum=2.0, counts=[], low=2.0, high=2.0))["width"] > 0


MEASURE = {"metric": "top-1", "fp32": 80, "int8": 77, "points": 3.0, "low": 1, "high": 5, "samples": 500}


def test_all_that_was_tried_is_drawn_and_what_failed_is_not():
    found = tradeoff(dict(REPORT, tuning=TUNING))
    assert [dot["name"] for dot in found["dots"]] == ["FP32", "INT8 as it was", "1: 1 layers in FP32, other ranges"]
    fp32, before, after = found["dots"]
    assert (fp32["kind"], before["kind"]) == ("fp32", "tried")
    assert fp32["x"] > after["x"] > before["x"]  # slower to the right
    assert before["y"] < after["y"] < fp32["y"]  # worse above
    assert all(dot["best"] for dot in found["dots"])
    assert found["front"].count(",") == 3


def test_what_another_is_better_than_is_off_the_line():
    worse = dict(TUNING["evaluations"][0], points=3.5, ms=14.0)
    found = tradeoff(dict(REPORT, tuning=dict(TUNING, evaluations=[*TUNING["evaluations"], worse])))
    assert [dot["best"] for dot in found["dots"]] == [True, True, True, False]
    assert found["front"].count(",") == 3


def test_the_chosen_one_is_marked():
    moved = dict(TUNING, ranges=[{"tensor": "x", "low": 0.0, "high": 1.0}])
    found = tradeoff(dict(REPORT, tuning=moved))
    assert [dot["kind"] for dot in found["dots"]] == ["fp32", "tried", "chosen"]


def test_without_tuning_it_is_estimated():
    report = dict(REPORT, accuracy=dict(REPORT["accuracy"], measures=[MEASURE]), blame=BLAME)
    found = tradeoff(report)
    assert found["estimate"].count(",") == 2
    assert [dot["kind"] for dot in found["dots"]] == ["fp32", "chosen"]
    assert tradeoff(dict(report, blame=None)) is None
    assert tradeoff(dict(report, latency=None)) is None
    assert tradeoff(dict(report, accuracy=None)) is None
