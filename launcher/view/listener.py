"""Listens to a job: hands its events to the view, and knows at the end why it failed."""

from __future__ import annotations

import re
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from launch_quantization.errors import (
    AccuracyError,
    BadInputError,
    LauncherError,
    QuantizationFailedError,
    error_for_kind,
)
from launch_quantization.stream.events import Event, parse
from launch_quantization.stream.sanitize import safe_line
from launch_quantization.view.base import View

_TAIL_LINES = 20

_SIGNALS = {
    signal.SIGILL: (
        "used an instruction this CPU lacks",
        "TensorFlow needs a CPU with AVX; see launch_quantization doctor",
    ),
    signal.SIGKILL: (
        "was killed from outside",
        "kill -9, docker kill or a resource manager does that; where the kernel did, for lack of memory, dmesg says so",
    ),
    signal.SIGSEGV: ("crashed", "run again with --verbose; the graph may be damaged"),
    signal.SIGABRT: ("crashed", "run again with --verbose; the graph may be damaged"),
    signal.SIGXFSZ: ("wrote a larger file than it may", "allow more with --output_limit"),
    signal.SIGTERM: ("was ended from outside", "run again"),
}
_FATAL = re.compile(r"\bF \S+:\d+\] (?P<why>.+)")
"""How TensorFlow says why it ends the process: a check of its own failed."""
_FP32_STAGES = ("read", "calibrate")
"""Those that run nothing but the FP32 graph."""


class Listener:
    """A LineSink.

    Args:
        view: what is told.
        translate: turns paths of the workspace, in texts from inside, into ones that the user knows.
        log: the view shows the log; else its lines are not even made fit to be shown, but for the last ones.

    Attributes:
        result: the result event, once it came.
        looked: the event of a task that looks at graphs, once it came.
        start: the event that says what the job runs on, once it came.
        stages: the stages so far, and when each began, in unix seconds.
    """

    def __init__(self, view: View, translate: Callable[[str], str] = str, *, log: bool = True) -> None:
        self._view = view
        self._log = log
        self._translate = translate
        self._error: Event | None = None
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._stage = ""
        self.result: Event | None = None
        self.looked: Event | None = None
        self.start: Event | None = None
        self.stages: list[tuple[str, float]] = []

    def __call__(self, line: bytes, stream: str) -> None:
        """Take one line; ``stream`` is "stdout" or "stderr"."""
        event = parse(line) if stream == "stdout" else None
        if event is None:
            self._tail.append(line)
            if self._log:
                self._view.log_line(self._show(line))
            return
        if event.name == "log":
            event = replace(event, data={**event.data, "message": self._translate(event.data["message"])})
        elif event.name == "stage":
            self._stage = event.data["name"]
            self.stages.append((self._stage, time.time()))
        elif event.name == "start":
            self.start = event
        elif event.name == "error":
            self._error = self._error or event
        elif event.name == "result":
            self.result = event
        elif event.name == "looked":
            self.looked = event
        self._view.event(event)

    def check(self, status: int) -> None:
        """Raise what the job's exit status and its events, taken together, say. Success is its own word and status.

        Raises:
            LauncherError: of the class of the error event; QuantizationFailedError without one.
        """
        if self._error is not None:
            data = self._error.data
            message, remedy = self._translate(data["message"]), self._translate(data["remedy"] or "")
            raise error_for_kind(data["kind"])(message, remedy)
        if (self.result or self.looked) is not None and status == (AccuracyError.exit_code if self.broken else 0):
            return
        for line in self._tail:
            self._view.warn(self._show(line))
        raise self._explain_status(status)

    @property
    def broken(self) -> bool:
        """Whether the job said that more was lost than is allowed; its results are there all the same."""
        told = self.result or self.looked
        verdict = None if told is None else told.data["verdict"]
        return verdict is not None and verdict["word"] == "broken"

    def _show(self, line: bytes) -> str:
        return self._translate(safe_line(line))

    def _explain_status(self, status: int) -> LauncherError:
        if status > 128 and status - 128 in _SIGNALS:
            number = signal.Signals(status - 128)
            if number == signal.SIGABRT and (why := self._find_fatal()):
                return self._tell_abort(why)
            what, remedy = _SIGNALS[number]
            return QuantizationFailedError(f"the job {what} ({number.name})", remedy)
        if status == 0:
            return QuantizationFailedError(
                "the job ended without saying what came of it; its output is not taken",
                "run again with --verbose; with --docker_image, see that the image is one of this version",
            )
        return QuantizationFailedError(
            f"the job ended with status {status} without saying why",
            "the lines above are the end of its log; --verbose shows all",
        )

    def _find_fatal(self) -> str:
        """What TensorFlow says of why it ended the process; empty where it says nothing."""
        found = [match["why"] for line in self._tail if (match := _FATAL.search(self._show(line)))]
        return found[-1][:300] if found else ""

    def _tell_abort(self, why: str) -> LauncherError:
        if self._stage in _FP32_STAGES:
            return BadInputError(
                f"TensorFlow gave up, with the whole process, while it ran the FP32 graph: {why}",
                "an op got a tensor that it cannot take, such as one of another rank: see --inputs, --outputs and "
                "--data_location, and whether the FP32 graph runs on these data by itself",
            )
        return QuantizationFailedError(
            f"TensorFlow gave up, with the whole process, in the stage {self._stage or 'start'}: {why}",
            "run again with --verbose; keep the op out of INT8 with --excluded_ops or --excluded_nodes",
        )
