"""``python3 -m intel_quantization --job JSON``: one job, events on stdout, everything else on stderr."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import Any, Optional, Sequence

from intel_quantization import __version__
from intel_quantization import job as jobs
from intel_quantization.contract.failures import INTERNAL
from intel_quantization.contract.options import InsideOptions
from intel_quantization.contract.parser import AskedError, MistakeError, make_parser, parse_options
from intel_quantization.contract.words import QUANTIZE
from intel_quantization.ending import end_on_signals
from intel_quantization.environment import limit_threads
from intel_quantization.errors import OutOfMemoryError, QuantizationError, UsageError
from intel_quantization.events import EventStream
from intel_quantization.places import is_about_writing, output_error


def _read_arguments(argv: Sequence[str]) -> str:
    """The job's text; the help and the version are printed, and end the process."""
    program = "intel_quantization"
    try:
        options = parse_options(program, InsideOptions, argv, ("help", "version"))
    except MistakeError as mistake:
        raise UsageError(mistake.message, mistake.remedy) from None
    except AskedError as asked:
        print(__version__ if asked.name == "version" else make_parser(program, InsideOptions).format_help())
        raise SystemExit(0) from None
    if options.job is None:
        raise UsageError("--job is missing", "launch_quantization gives it: see docs/explanation/architecture.md")
    return str(options.job)


def _read_job(text: str) -> jobs.Job:
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

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Optional[TracebackType]) -> bool:
        if kind is not None and not issubclass(kind, Exception):
            return False
        if isinstance(error, BrokenPipeError):  # nobody listens any more
            self.status = INTERNAL.code
        elif error is None:
            self._events.emit("end", exit_code=self.status)
        else:
            self._fail(error, trace)
        return True

    def _fail(self, error: BaseException, trace: Optional[TracebackType]) -> None:
        known = _find_known(error)
        if known is None:
            traceback.print_exception(type(error), error, trace)
            message, remedy = f"{type(error).__name__}: {error}", "report this with the lines above it"
            self.status = INTERNAL.code
            self._events.emit("error", kind=INTERNAL.kind, message=message, remedy=remedy)
        else:
            self.status = known.exit_code
            self._events.emit("error", kind=known.kind, message=known.message, remedy=known.remedy)


def _find_known(error: BaseException) -> QuantizationError | None:
    """The error as one that a user can act on; None for a defect of ours."""
    if isinstance(error, QuantizationError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemoryError("out of memory", "give a smaller --batch_size, or more --memory")
    if isinstance(error, OSError) and is_about_writing(error):
        return output_error(error)
    return None


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the job; returns the exit status."""
    try:
        text, usage = _read_arguments(sys.argv[1:] if argv is None else argv), None
    except UsageError as error:
        text, usage = "", error
    events = EventStream.claim_stdout()
    clean_ups = end_on_signals()
    with _Verdict(events) as verdict:
        if usage is not None:
            raise usage
        job = _read_job(text)
        limit_threads(job.threads)
        # only now: these import TensorFlow
        if job.task == QUANTIZE:
            from intel_quantization.run import run_job

            verdict.status = run_job(job, events, clean_ups)
        else:
            from intel_quantization.looking.of_job import look

            verdict.status = look(job, events)
    return verdict.status


if __name__ == "__main__":
    sys.exit(main())
