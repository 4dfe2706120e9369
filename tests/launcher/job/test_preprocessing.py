"""Options of preprocessing, from the command line to the job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launch_quantization.errors import LauncherError, UsageError
from launch_quantization.job.validation import checked_job
from tests.launcher.support import options


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"png")
    return "-g", str(tmp_path / "net.pb"), "-d", str(tmp_path / "images")


def test_everything_arrives_inside(paths: tuple[str, ...]) -> None:
    words = ["--mean", "123.68,116.78,103.94", "--std", "58", "--scale", "1/2", "--channel-order", "bgr"]
    inside = checked_job(options(*paths, *words, "--resize", "pad:114")).inside()
    assert inside["mean"] == [123.68, 116.78, 103.94]
    assert (inside["std"], inside["scale"]) == ([58.0], [0.5])
    assert (inside["channel_order"], inside["resize"], inside["preprocess"]) == ("bgr", "pad:114", None)
    assert json.loads(json.dumps(inside)) == inside


def test_nothing_is_said_by_default(paths: tuple[str, ...]) -> None:
    inside = checked_job(options(*paths)).inside()
    assert {inside[key] for key in ("preprocess", "scale", "mean", "std", "channel_order", "resize")} == {None}  # type: ignore[comparison-overlap]


def test_unit_is_a_mode() -> None:
    assert options("--preprocess", "unit").preprocess == "unit"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", (0.0,)),
        ("1/255", (1 / 255,)),
        ("1, 2 ,3", (1.0, 2.0, 3.0)),
        ("1e-3", (0.001,)),
        ("-1", (-1.0,)),
    ],
)
def test_numbers(text: str, value: tuple[float, ...]) -> None:
    assert options(f"--mean={text}").mean == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "inf", "-inf", "1,2", "1,2,3,4", "1,,3", "1/0", "1/0,1,1", "1;2;3", "1e999"]
)
@pytest.mark.parametrize("option", ["--mean", "--std", "--scale"])
def test_what_is_no_number_is_named(option: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(f"{option}={text}")
    assert option in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("rule", ["stretch", "crop", "crop:256", "central_crop", "central_crop:0.9", "pad", "pad:114"])
def test_rules_of_resizing(rule: str) -> None:
    assert options("--resize", rule).resize == rule


@pytest.mark.parametrize(
    "rule",
    ["", "fit", "stretch:1", "crop:", "crop:0", "crop:2.5", "crop:-1", "central_crop:0", "central_crop:1.1", "pad:256"],
)
def test_other_rules_are_refused(rule: str) -> None:
    with pytest.raises(UsageError, match="central_crop"):
        options("--resize", rule)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mean", "1", "--preprocess", "tf"), "exclude each other"),
        (("--std", "2", "--preprocess", "none"), "exclude each other"),
        (("--std", "1,0,1"), "--std is 0"),
        (("--scale", "0"), "--scale is 0"),
        (("--preprocess", "caffe", "--channel_order", "rgb"), "caffe is bgr"),
    ],
)
def test_contradictions(paths: tuple[str, ...], words: tuple[str, ...], said: str) -> None:
    with pytest.raises(LauncherError) as caught:
        checked_job(options(*paths, *words))
    assert isinstance(caught.value, UsageError)
    assert said in caught.value.message
    assert caught.value.remedy


def test_orders_that_go_with_a_mode(paths: tuple[str, ...]) -> None:
    assert checked_job(options(*paths, "--preprocess", "tf", "--channel_order", "bgr")).channel_order == "bgr"
    assert checked_job(options(*paths, "--preprocess", "caffe", "--channel_order", "bgr")).preprocess == "caffe"
    assert checked_job(options(*paths, "--channel_order", "bgr", "--resize", "crop")).preprocess is None
