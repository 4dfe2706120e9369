"""The Runtime protocol: where a job runs. Each has a folder here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from launch_quantization.job.job import Job
from launch_quantization.stream.lines import BuildLog, LineSink


class Runtime(Protocol):
    """Where a job runs. All methods may raise a LauncherError or Interrupted."""

    name: str

    def describe(self) -> str:
        """One line for the user: what this runtime is, e.g. ``docker 20.10.24, image quantization:…``."""

    def is_ready(self) -> bool:
        """Whether ``ensure`` has nothing to do."""

    def ensure(self, log: BuildLog) -> None:
        """Make ready what the job needs (build the image, make the environment); a no-op when ready.

        Raises:
            BuildError: it could not be built.
            ImageMissingError: an image named by the user is not there.
        """

    def run(self, job: Job, staging: Path, on_line: LineSink) -> int:
        """Run the job with ``staging / "output"`` as /workspace/output; return its exit status.

        Nothing of the run is left when this returns or raises, Interrupted included: a first
        Interrupted stops the job gracefully, a second one kills it.

        Raises:
            OutOfMemoryError: the engine or the watchdog saw the memory limit hit.
            DeadlineError: ``job.timeout`` seconds passed.
        """

    def shell(self, job: Job, staging: Path) -> int:
        """An interactive bash in the workspace, everything mounted; returns the shell's exit status.

        Where stdin is no terminal, bash reads its commands from stdin, without a pseudo-terminal.
        """

    def identity(self) -> dict[str, object]:
        """What the job runs in, JSON-ready: ``contract.manifest.PLACE``, and ``revision``, the commit, or None.

        After ``ensure``.
        """

    def plan(self, job: Job, staging: Path) -> dict[str, object]:
        """What ``run`` would do, as JSON-ready data; ``command`` holds a pasteable argv list."""
