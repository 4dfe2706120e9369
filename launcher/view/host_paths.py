"""Says where on this machine a path of the workspace is: what a message from inside names, the user does not have."""

from __future__ import annotations

import re
from pathlib import Path

from launch_quantization.contract.words import WORKSPACE
from launch_quantization.job.job import Job
from launch_quantization.output.staging import OUTPUT
from launch_quantization.stream.sanitize import safe_path


class HostPaths:
    """Turns paths of the workspace, within a text, into those of the host.

    Args:
        job: what is mounted where.
        staging: its directory of links is the workspace of the local runtime, and its output that of both.
    """

    def __init__(self, job: Job, staging: Path) -> None:
        inside = {mount.target.removeprefix(WORKSPACE): mount.source for mount in job.mounts()}
        inside[f"/{OUTPUT}"] = job.output_dir
        known = {safe_path(staging / OUTPUT): safe_path(job.output_dir)}
        for root in (WORKSPACE, safe_path(staging / "workspace")):
            known.update({root + safe_path(path): safe_path(source) for path, source in inside.items()})
        self._known = known
        self._roots = (WORKSPACE, safe_path(staging))
        longest_first = sorted(known, key=len, reverse=True)
        # Not in the middle of a longer path or name, neither before nor behind.
        self._pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)")

    def __call__(self, text: str) -> str:
        """The text, already made safe to show, with host paths."""
        if not any(root in text for root in self._roots):
            return text  # as most lines of a log; the pattern is slow
        return self._pattern.sub(lambda match: self._known[match[0]], text)
