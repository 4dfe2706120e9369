"""What went into a run: hashed while the job runs, so that nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from launch_quantization.contract.option import options_of
from launch_quantization.contract.options import JobOptions
from launch_quantization.job.job import Job
from launch_quantization.output.digests import MOST_LISTED, Digest, StoppedError, digest_of


def input_paths(job: Job) -> dict[str, Path]:
    """The paths that a job reads, by the names of their options."""
    found = {option.name: getattr(job, option.name) for option in options_of(JobOptions) if option.place is not None}
    return {name: path for name, path in found.items() if path is not None}


def told(option: str, path: Path, digest: Digest) -> dict[str, Any]:
    """As the manifest has it."""
    files = None
    if digest.files is not None and len(digest.files) <= MOST_LISTED:
        files = [{"name": name, "sha256": sha256} for name, sha256 in digest.files.items()]
    return {"option": option, "path": str(path), "size": digest.size, "sha256": digest.sha256, "files": files}


class Inputs:
    """The inputs of a job, being hashed in a thread.

    Args:
        job: whose.
    """

    def __init__(self, job: Job) -> None:
        self._paths = input_paths(job)
        self._stop = threading.Event()
        self._told: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._hash, name="inputs", daemon=True)
        self._thread.start()

    def wait(self) -> list[dict[str, Any]]:
        """As the manifest has them."""
        while self._thread.is_alive():  # a thread that is waited for without end keeps signals from being seen
            self._thread.join(0.2)
        return self._told

    def stop(self) -> None:
        """Nobody waits any more."""
        self._stop.set()

    def _hash(self) -> None:
        with suppress(StoppedError):
            for option, path in self._paths.items():
                self._told.append(told(option, path, digest_of(path, self._stop)))


@contextmanager
def hashed(job: Job) -> Iterator[Inputs]:
    """Hash a job's inputs while the body runs, and no longer than that."""
    inputs = Inputs(job)
    try:
        yield inputs
    finally:
        inputs.stop()
