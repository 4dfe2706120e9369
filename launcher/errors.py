"""One exception class and one exit code for each failure that a user can meet.

Every message says what happened and where; ``remedy`` says what to do about it.
Nothing else in the launcher chooses an exit code.
"""

from __future__ import annotations

from launch_quantization.contract import failures


class LauncherError(Exception):
    """Root of all failures that end the launcher.

    Args:
        message: one line, what happened and where.
        remedy: one line, what the user can do; may be empty.

    Attributes:
        elsewhere: whether another runtime may manage what this one cannot, so that ``--runtime auto`` goes on.
    """

    elsewhere = False

    exit_code = failures.INTERNAL.code
    kind = failures.INTERNAL.kind

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(LauncherError):
    """The command line is wrong: unknown option, bad value, options that exclude each other."""

    exit_code = failures.USAGE.code
    kind = failures.USAGE.kind


class BadInputError(LauncherError):
    """A graph, dataset or other input cannot be used."""

    exit_code = failures.BAD_INPUT.code
    kind = failures.BAD_INPUT.kind


class EngineUnreachableError(LauncherError):
    """No Docker engine answers, or it cannot see this host's files."""

    exit_code = failures.ENGINE_UNREACHABLE.code
    kind = failures.ENGINE_UNREACHABLE.kind
    elsewhere = True


class EngineTooOldError(LauncherError):
    """The Docker engine answers, but speaks too old an API."""

    exit_code = failures.ENGINE_TOO_OLD.code
    kind = failures.ENGINE_TOO_OLD.kind
    elsewhere = True


class BuildError(LauncherError):
    """The image, or the local environment, could not be built."""

    exit_code = failures.BUILD_FAILED.code
    kind = failures.BUILD_FAILED.kind


class ImageMissingError(LauncherError):
    """The image named with --docker-image is not on the engine."""

    exit_code = failures.IMAGE_MISSING.code
    kind = failures.IMAGE_MISSING.kind


class QuantizationFailedError(LauncherError):
    """The job started and failed inside."""

    exit_code = failures.QUANTIZATION_FAILED.code
    kind = failures.QUANTIZATION_FAILED.kind


class OutOfMemoryError(LauncherError):
    """The job, or a child of it, met its memory limit."""

    exit_code = failures.OUT_OF_MEMORY.code
    kind = failures.OUT_OF_MEMORY.kind


class DeadlineError(LauncherError):
    """The job took longer than --timeout."""

    exit_code = failures.DEADLINE.code
    kind = failures.DEADLINE.kind


class OutputRefusedError(LauncherError):
    """The output path cannot be written, or what the job left there is not acceptable."""

    exit_code = failures.OUTPUT_REFUSED.code
    kind = failures.OUTPUT_REFUSED.kind


class AccuracyError(LauncherError):
    """The INT8 graph loses more accuracy than was allowed."""

    exit_code = failures.ACCURACY.code
    kind = failures.ACCURACY.kind


class BusyError(LauncherError):
    """Another launcher is writing the same output."""

    exit_code = failures.BUSY.code
    kind = failures.BUSY.kind


class DifferentError(LauncherError):
    """Something is not as a manifest says."""

    exit_code = failures.DIFFERENT.code
    kind = failures.DIFFERENT.kind


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
    from_inside = {failure.kind for failure in failures.FAILURES if failure.from_inside}
    known: list[type[LauncherError]] = [LauncherError, *LauncherError.__subclasses__()]
    return next((cls for cls in known if cls.kind == kind and kind in from_inside), QuantizationFailedError)
