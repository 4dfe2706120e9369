from __future__ import annotations

import random
import time

import pytest

from launch_quantization.errors import (
    AccuracyError,
    BadInputError,
    LauncherError,
    OutOfMemoryError,
    QuantizationFailedError,
)
from launch_quantization.stream.lines import LineSplitter
from launch_quantization.stream.sanitize import safe_line
from launch_quantization.view.listener import Listener
from launch_quantization.view.plain import PlainView
from tests.launcher.support import RESULT, VERDICT, line


@pytest.fixture
def listener() -> Listener:
    return Listener(PlainView(verbose=True))


def test_a_job_that_succeeds(listener: Listener) -> None:
    listener(line("result", **RESULT), "stdout")
    listener(line("end", exit_code=0), "stdout")
    listener.check(0)
    assert listener.result is not None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bad_input", BadInputError),
        ("quantization_failed", QuantizationFailedError),
        ("out_of_memory", OutOfMemoryError),
        ("accuracy", AccuracyError),
        ("internal", LauncherError),
        ("something newer", QuantizationFailedError),
    ],
)
def test_the_error_event_decides(listener: Listener, kind: str, expected: type[LauncherError]) -> None:
    listener(line("error", kind=kind, message="what", remedy="how"), "stdout")
    listener(line("error", kind="accuracy", message="later", remedy=""), "stdout")
    with pytest.raises(expected) as caught:
        listener.check(5)
    assert type(caught.value) is expected
    assert (caught.value.message, caught.value.remedy) == ("what", "how")


def test_texts_from_inside_name_what_the_user_has(capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener(PlainView(verbose=True), lambda text: text.replace("/workspace/dataset", "/photos"))
    listener(line("log", level="warning", message="/workspace/dataset/a.jpg is odd"), "stdout")
    listener(b"cannot read /workspace/dataset/b.jpg", "stderr")
    shown = capsys.readouterr().err
    assert "/photos/a.jpg is odd" in shown
    assert "cannot read /photos/b.jpg" in shown
    message, remedy = "/workspace/dataset/c.jpg is bad", "remove /workspace/dataset/c.jpg"
    listener(line("error", kind="bad_input", message=message, remedy=remedy), "stdout")
    with pytest.raises(BadInputError) as caught:
        listener.check(3)
    assert (caught.value.message, caught.value.remedy) == ("/photos/c.jpg is bad", "remove /photos/c.jpg")


def test_an_error_counts_whatever_the_status(listener: Listener) -> None:
    listener(line("error", kind="bad_input", message="what", remedy=None), "stdout")
    with pytest.raises(BadInputError):
        listener.check(0)


def test_a_log_that_nobody_sees_costs_nothing_and_its_end_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[bytes] = []

    def count(line: bytes) -> str:
        shown.append(line)
        return safe_line(line)

    monkeypatch.setattr("launch_quantization.view.listener.safe_line", count)
    listener = Listener(PlainView(), log=False)
    for number in range(1000):
        listener(b"line %d" % number, "stderr")
    assert shown == []
    with pytest.raises(QuantizationFailedError):
        listener.check(1)
    assert len(shown) == 20
    assert "warning: line 999\n" in capsys.readouterr().err


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_log_of_random_bytes_is_read_fast(stream: str) -> None:
    """At 40 MB/s; once it was 1.3, so that a job that floods its log went on for an hour after its end."""
    data = random.Random(0).randbytes(8 << 20)
    listener, splitter = Listener(PlainView(), log=False), LineSplitter()
    begun = time.process_time()  # of this process, however busy the machine is
    for start in range(0, len(data), 65536):
        for piece in splitter.feed(data[start : start + 65536]):
            listener(piece, stream)
    assert len(data) / (time.process_time() - begun) > 5e6


def test_events_on_stderr_are_log_lines(listener: Listener, capsys: pytest.CaptureFixture[str]) -> None:
    listener(line("error", kind="bad_input", message="forged", remedy=None), "stderr")
    listener(line("result", **RESULT), "stdout")
    listener.check(0)
    assert "forged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "without saying what came of it"),
        (1, "status 1"),
        (132, "SIGILL"),
        (137, "SIGKILL"),
        (139, "SIGSEGV"),
        (129, "status 129"),
    ],
)
def test_a_death_without_a_word(
    listener: Listener, capsys: pytest.CaptureFixture[str], status: int, words: str
) -> None:
    listener(b"the last \x1b[31mwords", "stderr")
    with pytest.raises(QuantizationFailedError, match=words):
        listener.check(status)
    assert "warning: the last words" in capsys.readouterr().err


FATAL = b"2026-11-27 21:11:22.1: F ./tensorflow/core/util/tensor_format.h:428] Check failed: index >= 0 Invalid index"


@pytest.mark.parametrize(
    ("stage", "expected", "words"),
    [
        ("calibrate", BadInputError, "ran the FP32 graph: Check failed: index >= 0 Invalid index"),
        ("read", BadInputError, "ran the FP32 graph: Check failed"),
        ("measure", QuantizationFailedError, "in the stage measure: Check failed"),
    ],
)
def test_tensorflow_gives_up(listener: Listener, stage: str, expected: type[LauncherError], words: str) -> None:
    """A check of TensorFlow's own fails; in the stages that only run FP32, it is the graph or the data."""
    listener(line("stage", name=stage, index=1, total=6), "stdout")
    listener(FATAL, "stderr")
    with pytest.raises(expected, match=words) as caught:
        listener.check(134)
    assert type(caught.value) is expected


def test_an_abort_without_a_reason(listener: Listener) -> None:
    listener(line("stage", name="calibrate", index=3, total=6), "stdout")
    with pytest.raises(QuantizationFailedError, match="SIGABRT"):
        listener.check(134)


def test_a_result_that_only_looks_like_one_is_no_success(listener: Listener) -> None:
    listener(line("result", **{**RESULT, "size": "garbage"}), "stdout")
    listener(line("result", **RESULT)[:-5], "stdout")
    listener(line("end", exit_code=0), "stdout")
    with pytest.raises(QuantizationFailedError, match="without saying what came of it"):
        listener.check(0)


def test_a_result_does_not_excuse_a_bad_end(listener: Listener) -> None:
    listener(line("result", **RESULT), "stdout")
    with pytest.raises(QuantizationFailedError, match="killed from outside"):
        listener.check(137)


def test_a_broken_limit_ends_with_its_own_status_and_the_result_counts(listener: Listener) -> None:
    listener(line("result", **{**RESULT, "verdict": VERDICT}), "stdout")
    listener.check(12)
    assert listener.broken
    with pytest.raises(QuantizationFailedError):
        listener.check(0)


@pytest.mark.parametrize("word", ["held", "undecided"])
def test_a_limit_that_is_not_broken_is_a_success(listener: Listener, word: str) -> None:
    listener(line("result", **{**RESULT, "verdict": {**VERDICT, "word": word}}), "stdout")
    listener.check(0)
    assert not listener.broken
    with pytest.raises(QuantizationFailedError):
        listener.check(12)


def test_being_killed_is_not_told_as_lack_of_memory(listener: Listener) -> None:
    with pytest.raises(QuantizationFailedError) as caught:
        listener.check(137)
    assert "--memory" not in caught.value.remedy
