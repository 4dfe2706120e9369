"""Says where on this machine a path of the workspace is: what a message from inside names, the user does not have."""

from __future__ import annotations

import os
import re
from pathlib import Path

from launcher.job import WORKSPACE, Job
from launcher.sanitize import safe_text
from launcher.staging import OUTPUT

_LIMIT = 4096
"""Characters of one path, PATH_MAX."""


class HostPaths:
    """Turns paths of the workspace, within a text, into those of the host.

    Args:
        job: what is mounted where.
        staging: its directory of links is the workspace of the local runtime, and its output that of both.
    """

    def __init__(self, job: Job, staging: Path) -> None:
        inside = {mount.target.removeprefix(WORKSPACE): mount.source for mount in job.mounts()}
        inside[f"/{OUTPUT}"] = job.output_dir
        known = {_shown(staging / OUTPUT): _shown(job.output_dir)}
        for root in (WORKSPACE, _shown(staging / "workspace")):
            known.update({root + _shown(path): _shown(source) for path, source in inside.items()})
        self._known = known
        longest_first = sorted(known, key=len, reverse=True)
        # Not in the middle of a longer path or name, neither before nor behind.
        self._pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)")

    def __call__(self, text: str) -> str:
        """The text, already made safe to show, with host paths."""
        return self._pattern.sub(lambda match: self._known[match[0]], text)


def _shown(path: str | Path) -> str:
    """As it appears in a text that was made safe."""
    return safe_text(os.fspath(path), _LIMIT)
