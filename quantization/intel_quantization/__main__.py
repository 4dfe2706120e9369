"""``python3 -m intel_quantization --job JSON``: one job, events on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import sys
import traceback

from intel_quantization import __version__
from intel_quantization import job as jobs
from intel_quantization.ending import end_on_signals
from intel_quantization.environment import limit_threads
from intel_quantization.errors import OutOfMemoryError, QuantizationError, UsageError
from intel_quantization.events import EventStream
from intel_quantization.places import is_about_writing, output_error

INTERNAL = 70


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(message, "see --help")


def _arguments(argv):
    parser = _Parser(prog="intel_quantization", description="Quantize a frozen graph, as launch_quantization asks.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--job", required=True, help="the job as JSON, or @FILE")
    return parser.parse_args(argv)


def _job(text: str) -> jobs.Job:
    if text.startswith("@"):
        try:
            with open(text[1:], encoding="utf-8") as stream:
                text = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the job file {text[1:]}: {error}", "check its name") from None
    return jobs.parse(text)


class _Verdict:
    """Turns however the job ended into its last event and an exit status."""

    def __init__(self, events: EventStream) -> None:
        self._events = events
        self.status = 0

    def __enter__(self) -> _Verdict:
        return self

    def __exit__(self, kind, error, trace) -> bool:
        if kind is not None and not issubclass(kind, Exception):
            return False
        if isinstance(error, BrokenPipeError):  # nobody listens any more
            self.status = INTERNAL
        elif error is None:
            self._events.emit("end", exit_code=self.status)
        else:
            self._fail(error, trace)
        return True

    def _fail(self, error, trace) -> None:
        known = _known(error)
        if known is None:
            traceback.print_exception(type(error), error, trace)
            message, remedy = f"{type(error).__name__}: {error}", "report this with the lines above it"
            self.status = INTERNAL
            self._events.emit("error", kind="internal", message=message, remedy=remedy)
        else:
            self.status = known.exit_code
            self._events.emit("error", kind=known.kind, message=known.message, remedy=known.remedy)


def _known(error) -> QuantizationError | None:
    """The error as one that a user can act on; None for a defect of ours."""
    if isinstance(error, QuantizationError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError("out of memory", "give a smaller --batch_size, or more --memory")
    if isinstance(error, OSError) and is_about_writing(error):
        return output_error(error)
    return None


def main(argv=None) -> int:
    """Run the job; returns the exit status."""
    try:
        arguments = _arguments(argv)
        usage = None
    except UsageError as error:
        arguments, usage = None, error
    events = EventStream.claim_stdout()
    clean_ups = end_on_signals()
    with _Verdict(events) as verdict:
        if usage is not None:
            raise usage
        job = _job(arguments.job)
        limit_threads(job.threads)
        # only now: these import TensorFlow
        if job.task == jobs.QUANTIZE:
            from intel_quantization.run import run_job

            verdict.status = run_job(job, events, clean_ups)
        else:
            from intel_quantization.looking.of_job import look

            verdict.status = look(job, events)
    return verdict.status


if __name__ == "__main__":
    sys.exit(main())
