"""The most memory that a job had: of its container by the engine's cgroup, or of its processes by the kernel."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType

_EVERY = 0.25
_CGROUPS = ("/sys/fs/cgroup/memory/docker/{}/memory.max_usage_in_bytes", "/sys/fs/cgroup/docker/{}/memory.peak")
_CGROUPS += ("/sys/fs/cgroup/system.slice/docker-{}.scope/memory.peak",)


class Peak:
    """Looks at a launcher's job while it runs.

    Args:
        process: the launcher.
        place: the folder of its inputs and outputs, by which its container is known.

    Attributes:
        bytes: None where nothing was seen.
    """

    def __init__(self, process: subprocess.Popen[str], place: Path) -> None:
        self.bytes: int | None = None
        self._process = process
        self._place = os.fspath(place)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        container = ""
        while not self._ended.wait(_EVERY):
            seen = self._of_processes()
            container = container or self._container()
            for pattern in _CGROUPS if container else ():
                try:
                    seen = max(seen, int(Path(pattern.format(container)).read_text()))
                except (OSError, ValueError):
                    continue
            if seen:
                self.bytes = max(self.bytes or 0, seen)

    def _of_processes(self) -> int:
        """The sum of the peaks of the launcher's descendants."""
        from launch_quantization.processes.supervisor import children, process_table

        table = children(process_table())
        waiting, total = list(table.get(self._process.pid, ())), 0
        while waiting:
            process = waiting.pop()
            waiting += table.get(process, ())
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:
                continue
            total += sum(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        return total

    def _container(self) -> str:
        import docker

        try:
            for each in docker.APIClient().containers():
                if any(str(mount.get("Source", "")).startswith(self._place) for mount in each.get("Mounts", ())):
                    return str(each["Id"])
        except (docker.errors.DockerException, OSError):
            pass
        return ""
