"""A job behind the wall: the folders that are its own, its variables, and what its command line begins with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.contract.words import WORKSPACE
from launch_quantization.job.job import Job
from launch_quantization.job.paths import check_readable
from launch_quantization.output.staging import refusing
from launch_quantization.runtimes.local.environment import Environment
from launch_quantization.runtimes.local.wall import Inside, Wall, filter_descriptor, walled

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_WRITABLE = {"/tmp": "home", "/dev/shm": "shm"}
"""Place inside -> folder of the staging directory."""


@dataclass(frozen=True)
class Start:
    """How a command of a job is started.

    Attributes:
        prefix: what its argv begins with.
        variables: its whole environment.
        directory: where it starts.
        home: its home directory, as it is called inside.
        descriptors: open ones that it inherits.
    """

    prefix: tuple[str, ...]
    variables: Mapping[str, str]
    directory: Path
    home: str
    descriptors: tuple[int, ...] = ()


@dataclass(frozen=True)
class WalledJob:
    """A job, and the wall that it runs behind.

    Attributes:
        wall: one that holds.
        environment: the Python and its packages.
        package: the host's folder that is /workspace/quantization.
        job: what is mounted.
        output: the host's folder that is /workspace/output.
    """

    wall: Wall
    environment: Environment
    package: Path
    job: Job
    output: Path

    @contextlib.contextmanager
    def started(self, staging: Path, more: Mapping[str, str], *, terminal: bool = False) -> Iterator[Start]:
        """Make the folders that are its own; the start is good for one process within the body.

        Args:
            staging: a private directory.
            more: further variables.
            terminal: the command is a shell on this terminal.

        Raises:
            OutputRefusedError: they cannot be made, as on a full disk.
            BadInputError: the caller is root, and an input can be read only with root's capabilities.
        """
        if os.getuid() == 0:
            for mount in self.job.mounts():
                check_readable(mount.source)
        temporary = {target: staging / name for target, name in _WRITABLE.items()}
        with refusing(f"cannot write to {staging}"):
            for folder in temporary.values():
                folder.mkdir(mode=0o700, exist_ok=True)
        inside = self._inside({**self._make_variables(), **more}, temporary)
        descriptor = filter_descriptor()
        try:
            prefix = walled(self.wall, inside, descriptor, terminal=terminal)
            yield Start(tuple(prefix), {}, staging, "/tmp", (descriptor,))
        finally:
            os.close(descriptor)

    def command_line(self) -> list[str]:
        """The same job as one argv: with folders in memory, and without the filter of system calls."""
        inside = self._inside(self._make_variables(), dict.fromkeys(_WRITABLE))
        return [*walled(self.wall, inside, None), os.fspath(self.environment.python), *self.job.command()[1:]]

    def _inside(self, variables: Mapping[str, str], temporary: Mapping[str, Path | None]) -> Inside:
        return Inside(self.environment, self.package, self.job.mounts(), self.output, temporary, variables)

    def _make_variables(self) -> dict[str, str]:
        return {
            **self.job.variables(home="/tmp", workspace=WORKSPACE),
            "PATH": f"{self.environment.path / 'bin'}:{_SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{WORKSPACE}/quantization",
            "PYTHONNOUSERSITE": "1",
        }
