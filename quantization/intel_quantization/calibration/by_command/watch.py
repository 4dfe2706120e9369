"""Follows a calibration command by what it records: how far it is, when that is enough, and what is wrong with it."""

from __future__ import annotations

import math
import signal
import time
from typing import Callable, Optional, Sequence

from intel_quantization.calibration.by_command.command import Command, display
from intel_quantization.calibration.by_command.records import Records
from intel_quantization.errors import BadInputError, CalibrationCommandError

_TICK_SECONDS = 0.1


class Watch:
    """Reads the records while the command writes them.

    Args:
        running: the command.
        records: what it records.
        counters: tensors whose leading dimension is the batch.
        steady: tensors that are made once in every run.
        samples: how many are enough.
        on_samples: called with the number of samples so far, when it has changed.
    """

    def __init__(
        self,
        running: Command,
        records: Records,
        counters: Sequence[str],
        steady: Sequence[str],
        samples: int,
        on_samples: Optional[Callable[[int], None]],
    ) -> None:
        self._running = running
        self._records = records
        self._counters = counters
        self._steady = steady
        self._samples = samples
        self._on_samples = on_samples
        self._told = 0

    def follow(self, patience: float) -> Optional[int]:
        """Wait until enough samples are in (None), or the command has ended (its exit status).

        Raises:
            BadInputError: a tensor is not finite.
            CalibrationCommandError: for ``patience`` seconds there was no record.
        """
        alive = time.monotonic()
        while True:
            status = self._running.poll()  # first: what it wrote before it ended is read below
            if self._records.read():
                alive = time.monotonic()
                _check_finite(self._records)
            self._tell(self._records.done(self._counters, self._steady))
            if self._told >= self._samples:
                return None
            if status is not None:
                self._tell(self.total())
                return status
            if time.monotonic() - alive > patience:
                raise CalibrationCommandError(
                    "the calibration command has not run the graph for %g s, after %s%s"
                    % (patience, self._tell_progress(), self._last_lines()),
                    "see why it hangs: run it by hand on the FP32 graph",
                )
            time.sleep(_TICK_SECONDS)

    def total(self) -> int:
        """Samples of all runs that have begun."""
        return sum(self._records.batches(self._counters))

    def check(self, status: int, command: Sequence[str]) -> None:
        """What a command that ended by itself has to have done.

        Raises:
            CalibrationCommandError: it failed, or left no records.
        """
        remedy = "run it by hand, with the FP32 graph for {}: %s" % display(command)
        if status:
            raise CalibrationCommandError(
                "the calibration command %s, after %s%s"
                % (_tell_ending(status), self._tell_progress(), self._last_lines()),
                remedy,
            )
        if not any(found.count for found in self._records.tensors.values()):
            raise CalibrationCommandError(
                "the calibration command ended well, but did not run the graph it was given%s" % self._last_lines(),
                "it has to read the graph whose path stands in place of {}: %s" % display(command),
            )

    def _tell(self, done: int) -> None:
        if done > self._told:
            self._told = done
            if self._on_samples is not None:
                self._on_samples(min(done, self._samples))

    def _tell_progress(self) -> str:
        return "%d of %d samples" % (min(self.total(), self._samples), self._samples)

    def _last_lines(self) -> str:
        lines = self._running.last_lines()
        return "; its last lines: " + lines if lines else "; it said nothing"


def _tell_ending(status: int) -> str:
    if status <= 128:
        return "failed with exit code %d" % status
    number = status - 128
    name = next((item.name for item in signal.Signals if item == number), "")
    why = ", as when memory runs out" if number == signal.SIGKILL else ""
    return "was ended by signal %d%s%s" % (number, " (%s)" % name if name else "", why)


def _check_finite(records: Records) -> None:
    for name, found in records.tensors.items():
        if found.count and not (math.isfinite(found.minimum) and math.isfinite(found.maximum)):
            raise BadInputError(
                "tensor '%s' has infinite or undefined values on the data of the calibration command" % name,
                "check what the command feeds, and that the FP32 graph gives finite results",
            )
