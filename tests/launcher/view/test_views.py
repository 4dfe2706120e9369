from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launch_quantization.errors import BadInputError, Interrupted
from launch_quantization.stream.events import Event, parse
from launch_quantization.view.choose import choose_view
from launch_quantization.view.json_view import JsonView
from launch_quantization.view.plain import PlainView
from launch_quantization.view.streams import write_line
from launch_quantization.view.summary import human_bytes
from launch_quantization.view.terminal import TerminalView
from tests.launcher.support import ALARM, RESULT, VERDICT, line, result_event

FILES = (Path("/x/out.pb"), Path("/x/out.report.html"))


def event(name: str, /, **data: object) -> Event:
    found = parse(line(name, **data))
    assert found is not None
    return found


def play(view: PlainView | JsonView | TerminalView) -> None:
    """A run as a view sees it."""
    view.note("using docker")
    view.starting()
    view.event(event("start", version="1", tensorflow="2.14", python="3.11", cpu=["avx2"], onednn=True, threads=2))
    view.event(event("stage", name="read", index=1, total=6))
    view.log_line("a line of TensorFlow")
    view.event(event("stage", name="calibrate", index=3, total=6))
    for done in range(101):
        view.event(event("progress", stage="calibrate", done=done, total=100, unit="images"))
    view.event(event("log", level="info", message="some detail"))
    view.event(event("log", level="warning", message="mind this [bold]"))
    view.event(result_event())
    view.event(event("end", exit_code=0))
    view.finished(result_event(), FILES)
    view.close(0)


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    play(PlainView())
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "using docker",
        "TensorFlow 2.14, Python 3.11, oneDNN on, avx2",
        "[1/6] read",
        "[3/6] calibrate",
        *(f"  calibrate {done}/100 images" for done in range(10, 101, 10)),
        "  some detail",
        "  warning: mind this [bold]",
    ]
    assert "Conv2D      53      52       1" in shown.out
    assert "softmax:0" not in shown.out  # its line would say the same as the first
    assert "1 x excluded by name: conv1" in shown.out
    assert "102 MB -> 25.9 MB (3.96 x smaller)" in shown.out
    assert "41.20 ms -> 17.90 ms (2.30 x faster)" in shown.out
    assert "top-1 82.60 % -> 82.40 % (lost -0.6 to +1.0, 95 %), same answer" in shown.out
    assert "on 100 images (MSE), preprocess vgg (chosen automatically)" in shown.out
    assert "/x/out.pb" in shown.out
    assert "/x/out.report.html" in shown.out


WRONG = Event(
    "result",
    {**RESULT, "alarms": [ALARM, {**ALARM, "severity": "notice", "what": "a drop", "output": "", "try": "more"}]},
)
WORDS = "ALARM: INT8 gives FP32's class to only 12.0 % of pixels (ArgMax:0)\n  try --algo DIRECT\n"


def test_what_is_wrong_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    PlainView().finished(WRONG, FILES)
    shown = capsys.readouterr()
    assert shown.out.startswith(f"\n{WORDS}notice: a drop\n  try more\n\nOp ")
    assert shown.err == ""


@pytest.mark.parametrize("view", [PlainView(quiet=True), JsonView()])
def test_an_alarm_is_never_silent(view: PlainView | JsonView, capsys: pytest.CaptureFixture[str]) -> None:
    view.finished(WRONG, FILES)
    assert capsys.readouterr().err == WORDS


def test_what_to_try_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    PlainView().finished(Event("result", {**RESULT, "alarms": [ALARM, ALARM]}), FILES)
    assert WORDS.replace("  try --algo DIRECT\n", "") + WORDS in capsys.readouterr().out


def test_alarms_on_a_terminal() -> None:
    code = "from tests.launcher.view.test_views import *\nTerminalView().finished(WRONG, FILES)"
    shown = on_a_terminal(code)
    assert "\x1b[1;31mALARM: INT8 gives FP32's class" in shown
    assert "\x1b[33mnotice: a drop" in shown
    assert shown.index("notice") < shown.index("Conv2D")
    piped = on_a_terminal(code.replace("\n", "; import sys; sys.stdout = open('/dev/null', 'w')\n"))
    assert "\x1b[1;31mALARM" in piped
    assert "Conv2D" not in piped


def test_each_output_that_is_no_class_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = {
        "outputs": ["boxes:0", "scores:0"],
        "kind": "detections",
        "samples": 64,
        "text": "90 % found again",
        "figures": {},
    }
    accuracy = {**RESULT["accuracy"], "top1_fp32": None, "agreement": None, "sqnr_db": 3.7, "drop": None}  # type: ignore[dict-item]
    PlainView().finished(Event("result", {**RESULT, "accuracy": {**accuracy, "outputs": [boxes, boxes]}}), FILES)
    shown = capsys.readouterr().out
    line = "boxes:0, …: 90 % found again, on 64 images"
    assert f"\naccuracy    {line}\n            {line}\n" in shown
    assert "SQNR" not in shown  # of boxes sorted by their scores it says nothing


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        ({"unit": "rows", "preprocess": None, "preprocess_chosen": False}, "on 100 rows (MSE), fed as they are\n"),
        (
            {"unit": "samples", "function": "feed.py:batches", "preprocess": None, "preprocess_chosen": False},
            "on 100 samples (MSE), given by feed.py:batches\n",
        ),
        ({"preprocess": "tf", "preprocess_chosen": False}, "on 100 images (MSE), preprocess tf\n"),
        ({"command": "python infer.py"}, "on 100 samples (MSE), by python infer.py\n"),
    ],
)
def test_samples_are_called_what_they_are(
    calibration: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = {"samples": 100, "algorithm": "MSE", **calibration}
    accuracy = {**RESULT["accuracy"], "unit": calibration.get("unit")}  # type: ignore[dict-item]
    PlainView().finished(Event("result", {**RESULT, "calibration": calibration, "accuracy": accuracy}), FILES)
    shown = capsys.readouterr().out
    assert said in shown
    assert f"on 500 {calibration.get('unit') or 'images'}\n" in shown


def test_verbose_adds_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    play(PlainView(verbose=True))
    shown = capsys.readouterr().err
    assert "  | a line of TensorFlow\n" in shown


@pytest.mark.parametrize("chosen", [None, False])
def test_what_the_user_chose_is_not_called_automatic(chosen: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    calibration = {"samples": 9, "algorithm": "MA", "preprocess": "tf", "preprocess_chosen": chosen}
    PlainView().finished(Event("result", {**RESULT, "calibration": calibration}), FILES)
    assert "on 9 images (MA), preprocess tf\n" in capsys.readouterr().out


def test_a_calibration_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    calibration = {"samples": 104, "algorithm": "MSE", "command": "python a.py " + "x" * 99}
    PlainView().finished(Event("result", {**RESULT, "calibration": calibration}), FILES)
    assert "on 104 samples (MSE), by python a.py xxx" in (shown := capsys.readouterr().out)
    assert "xxx …\n" in shown


def test_quiet_shows_only_errors(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView(quiet=True)
    play(view)
    assert capsys.readouterr() == ("", "")
    view.failed(BadInputError("the graph is bad", "use another"))
    assert capsys.readouterr() == ("", "error: the graph is bad\n  use another\n")


HOSTILE = Path("/out/\x1b]0;owned\x07net\x1b[2J.pb")


@pytest.mark.parametrize("view", [PlainView(), TerminalView()], ids=["plain", "terminal"])
def test_no_terminal_obeys_a_path(view: PlainView | TerminalView, capsys: pytest.CaptureFixture[str]) -> None:
    view.note(f"output in the workspace is {HOSTILE.parent / HOSTILE}")
    view.warn(f"cannot remove {HOSTILE}")
    view.finished(Event("result", RESULT), [HOSTILE, HOSTILE.with_suffix(".report.html")])
    view.finished(None, [HOSTILE])
    shown = "".join(capsys.readouterr())
    assert "/out/net.pb" in shown
    assert not [part for part in ("\x1b", "\x07", "owned") if part in shown]


def test_an_error_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    PlainView().failed(BadInputError("no\n\x1b[2Jfile", ""))
    assert capsys.readouterr().err == "error: no file\n"


def test_a_closed_stream_is_no_reason_to_fail() -> None:
    write_line(None, "nobody reads this")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    play(JsonView())
    shown = capsys.readouterr()
    assert shown.err == ""
    events = [json.loads(text) for text in shown.out.splitlines()]
    assert [one["event"] for one in events if one["event"] != "progress"] == [
        "log",
        "start",
        "stage",
        "stage",
        "log",
        "log",
        "result",
        "end",
    ]
    assert events[-1]["exit_code"] == 0
    assert events[-2]["files"] == ["/x/out.pb", "/x/out.report.html"]
    assert events[-2]["ops"] == RESULT["ops"]


def test_json_tells_errors_twice_and_ends_once(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView()
    view.event(event("error", kind="bad_input", message="inside", remedy=None))
    view.event(event("end", exit_code=3))
    view.failed(BadInputError("the graph is bad", "use another"))
    view.close(3)
    shown = capsys.readouterr()
    error, end = (json.loads(text) for text in shown.out.splitlines())
    assert (error["kind"], error["message"], error["remedy"]) == ("bad_input", "the graph is bad", "use another")
    assert end["exit_code"] == 3
    assert shown.err == "error: the graph is bad\n  use another\n"


def test_a_slower_int8_is_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    latency = {"batch": 1, "fp32_ms": 1.0, "int8_ms": 2.0, "speedup": 0.5, "runs": 10}
    PlainView().finished(Event("result", {**RESULT, "latency": latency}), FILES)
    assert "slower" in capsys.readouterr().out


def test_what_was_not_measured_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    bare = {**RESULT, "latency": None, "accuracy": None, "calibration": None, "reasons": [], "ops": []}
    PlainView().finished(Event("result", bare), ())
    shown = capsys.readouterr().out
    assert "size" in shown
    assert "latency" not in shown


def test_an_encoding_that_lacks_a_character() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write_line(stream, "Grüße")
    stream.seek(0)
    assert stream.read() == "Gr\\xfc\\xdfe\n"


def test_a_reader_that_left_is_an_interruption() -> None:
    code = (
        "from launch_quantization.errors import Interrupted\n"
        "from launch_quantization.view.streams import write_line\nimport sys\n"
        "try:\n  while True: write_line(sys.stdout, 'x' * 4096)\n"
        "except Interrupted as gone: sys.exit(gone.exit_code)"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        ["bash", "-c", '"$0" -c "$1" | head -1 >/dev/null; exit ${PIPESTATUS[0]}', sys.executable, code],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
    assert Interrupted(signal.SIGPIPE).exit_code == 141


def on_a_terminal(code: str) -> str:
    """What a program shows on a terminal of 80 columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).resolve().parents[3])
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.environ.pop("NO_COLOR", None)
        os.execv(sys.executable, [sys.executable, "-c", code])
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # EIO: the program has ended
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown.decode()
    return shown.decode()


def test_a_live_terminal() -> None:
    shown = on_a_terminal(
        "from tests.launcher.view.test_views import play\n"
        "from launch_quantization.view.choose import choose_view\n"
        "play(choose_view(as_json=False, quiet=False, verbose=True))"
    )
    assert "✓" in shown
    assert "calibrate" in shown
    assert "\x1b[?25l" in shown  # the cursor is hidden while the bar moves ...
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")  # ... and shown again
    assert "some detail" in shown
    assert "mind this [bold]" in shown  # foreign text is no markup
    assert "a line of TensorFlow" in shown
    assert "Conv2D" in shown


def test_a_failure_on_a_live_terminal() -> None:
    shown = on_a_terminal(
        "from tests.launcher.view.test_views import event\n"
        "from launch_quantization.view.terminal import TerminalView\n"
        "from launch_quantization.errors import BadInputError\nview = TerminalView()\n"
        "view.event(event('stage', name='read', index=1, total=6))\n"
        "view.failed(BadInputError('no [red]good', 'do better'))\nview.close(3)"
    )
    assert "✗" in shown
    assert "error: no [red]good" in shown
    assert "do better" in shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"as_json": True, "quiet": False}, JsonView),
        ({"as_json": False, "quiet": True}, PlainView),
        ({"as_json": False, "quiet": False}, PlainView),  # under pytest stderr is no terminal
    ],
)
def test_the_view_fits_the_options(options: dict[str, bool], expected: type) -> None:
    assert type(choose_view(verbose=False, **options)) is expected


def test_sizes_have_three_digits() -> None:
    shown = [human_bytes(count) for count in (999, 1_999_596, 30_023, 999_600, 4_000_000_000)]
    assert shown == ["999 bytes", "2.00 MB", "30.0 kB", "1000 kB", "4.00 GB"]


@pytest.mark.parametrize(("word", "loud"), [("broken", True), ("undecided", True), ("held", False)])
def test_the_verdict_stands_first(word: str, loud: bool, capsys: pytest.CaptureFixture[str]) -> None:
    result = Event("result", {**RESULT, "verdict": {**VERDICT, "word": word}})
    PlainView().finished(result, FILES)
    lines = [text for text in capsys.readouterr().out.splitlines() if text]
    assert lines[0] == VERDICT["text"]
    PlainView(quiet=True).finished(result, FILES)
    assert (VERDICT["text"] in capsys.readouterr().err) == loud


def test_other_metrics_than_top1(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = dict(RESULT["accuracy"], labelled=False, top1_fp32=None, top1_int8=None, drop=None)  # type: ignore[call-overload]
    boxes = {"metric": "COCO AP", "fp32": 25.1, "int8": 24.8, "points": 0.3, "low": -0.2, "high": 0.9, "samples": 128}
    PlainView().finished(Event("result", {**RESULT, "accuracy": {**accuracy, "measures": [boxes]}}), FILES)
    assert "COCO AP 25.10 -> 24.80 (lost -0.2 to +0.9, 95 %)" in capsys.readouterr().out
