"""One exception class and one exit code for each failure that a user can meet.

Every message says what happened and where; ``remedy`` says what to do about it.
Nothing else in the launcher chooses an exit code.
"""

from __future__ import annotations


class LauncherError(Exception):
    """Root of all failures that end the launcher.

    Args:
        message: one line, what happened and where.
        remedy: one line, what the user can do; may be empty.
    """

    exit_code = 70
    kind = "internal"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(LauncherError):
    """The command line is wrong: unknown option, bad value, options that exclude each other."""

    exit_code = 2
    kind = "usage"


class BadInputError(LauncherError):
    """A graph, dataset or other input cannot be used."""

    exit_code = 3
    kind = "bad_input"


class EngineUnreachableError(LauncherError):
    """No Docker engine answers, or it cannot see this host's files."""

    exit_code = 4
    kind = "engine_unreachable"


class EngineTooOldError(LauncherError):
    """The Docker engine answers, but speaks too old an API."""

    exit_code = 5
    kind = "engine_too_old"


class BuildError(LauncherError):
    """The image, or the local environment, could not be built."""

    exit_code = 6
    kind = "build_failed"


class ImageMissingError(LauncherError):
    """The image named with --docker-image is not on the engine."""

    exit_code = 7
    kind = "image_missing"


class QuantizationFailedError(LauncherError):
    """The job started and failed inside."""

    exit_code = 8
    kind = "quantization_failed"


class OutOfMemoryError(LauncherError):
    """The job, or a child of it, met its memory limit."""

    exit_code = 9
    kind = "out_of_memory"


class DeadlineError(LauncherError):
    """The job took longer than --timeout."""

    exit_code = 10
    kind = "deadline"


class OutputRefusedError(LauncherError):
    """The output path cannot be written, or what the job left there is not acceptable."""

    exit_code = 11
    kind = "output_refused"


class AccuracyError(LauncherError):
    """The INT8 graph loses more accuracy than was allowed."""

    exit_code = 12
    kind = "accuracy"


class BusyError(LauncherError):
    """Another launcher is writing the same output."""

    exit_code = 13
    kind = "busy"


class Interrupted(BaseException):
    """A signal asked the launcher to end; raised in the main thread by the signal handler.

    Like KeyboardInterrupt it is no ``Exception``, so that nothing swallows it by accident.

    Attributes:
        signum: which signal.
        in_place: the results of the job had been moved into place when it came.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        self.in_place = False

    @property
    def exit_code(self) -> int:
        """128 + signal number, as shells report it: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signum


def error_for_kind(kind: str) -> type[LauncherError]:
    """The class for the ``kind`` that an error event from inside carries.

    An unknown kind (a newer or hostile inside) is a failed quantization; "internal" is a defect of
    this tool and stays one.
    """
    for cls in (LauncherError, BadInputError, OutOfMemoryError, AccuracyError, OutputRefusedError):
        if cls.kind == kind:
            return cls
    return QuantizationFailedError
