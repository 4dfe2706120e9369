"""The Job on the host: the options, with paths that were checked, and what a runtime needs to know of them.

Its paths are absolute host paths; ``mounts()`` pairs each with its place below ``/workspace``, and ``inside()`` is
the same job as the other side sees it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.contract.job import THREADS, as_json
from launch_quantization.contract.option import Option, options_of
from launch_quantization.contract.options import JobOptions, RunOptions
from launch_quantization.contract.outputs import FOLDER, KEPT_FOLDER, stem_of
from launch_quantization.contract.values import FUNCTION
from launch_quantization.contract.words import WORKSPACE

MEMORY_SHARE = 0.8
"""What a job may use of the machine's memory unless --memory says more."""
TMP_SHARE = 4
"""Its temporary files may take one such part of its memory."""
PROCESSES = 4096
"""How many it may be behind a wall; a container counts threads, and TensorFlow alone starts several per CPU."""

_INSIDE = options_of(JobOptions)


@dataclass(frozen=True)
class Mount:
    """A host path and where it appears inside.

    Attributes:
        source: absolute host path, links resolved; a file or a directory, which exists.
        target: absolute POSIX path below /workspace.
        read_only: whether the job may only read it.
    """

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Job(RunOptions[Path]):
    """What is to be quantized, and how. Make one with ``launch_quantization.job.validation.checked_job``.

    Attributes are the options, with these differences: in_graph and out_graph are None only with ``debug``;
    data_location only with ``debug``, ``callback`` or ``data_function``; data_function and metric are files.

        data_function_name: the name of the function in that file, or None.
        metric_name: the same of ``metric``.
        kept: what calibrations of earlier runs on this graph left, a folder; None: nothing is taken, nothing kept.
    """

    data_function_name: str | None = None
    metric_name: str | None = None
    kept: Path | None = None

    @property
    def stem(self) -> str:
        """Name of the output without ``.pb``; every file of the run begins with it."""
        return stem_of(self.out_graph.name) if self.out_graph is not None else "graph_int8"

    @property
    def output_dir(self) -> Path:
        """The directory the user's results go to.

        With ``debug`` this very directory is /workspace/output, writable: beside ``out_graph``,
        else beside ``in_graph``, else the current directory.
        """
        for path in (self.out_graph, self.in_graph):
            if path is not None:
                return path.parent
        return Path.cwd()

    @property
    def threads(self) -> int | None:
        """Threads for TensorFlow: whole CPUs of ``cpus``, at least 1; None: as many as there are."""
        return None if self.cpus is None else max(1, math.floor(self.cpus))

    def mounts(self) -> tuple[Mount, ...]:
        """Everything the job reads, each with its place below /workspace; all read-only.

        /workspace/output is not among them: the runtime adds it, as ``staging / "output"`` for a
        job and as ``output_dir`` for a shell.
        """
        kept = () if self.kept is None else (Mount(self.kept, f"{WORKSPACE}/{KEPT_FOLDER}"),)
        return kept + tuple(
            Mount(source, f"{WORKSPACE}/{self._find_place(option, source)}")
            for option in _INSIDE
            if option.place is not None and (source := getattr(self, option.name)) is not None
        )

    def inside(self) -> dict[str, object]:
        """The job as the inside reads it: JSON-ready, paths POSIX and relative to $WORKSPACE."""
        values = {option.name: self._inside(option) for option in _INSIDE}
        return as_json({**values, THREADS: self.threads})

    def command(self) -> list[str]:
        """The argv that runs this job inside; pure ASCII, since JSON escapes the rest."""
        text = json.dumps(self.inside(), separators=(",", ":"))
        return ["python3", "-m", "intel_quantization", "--job", text]

    def variables(self, home: str, workspace: str) -> dict[str, str]:
        """Environment variables that a job gets wherever it runs.

        A uid without a passwd entry has neither a home nor a name of its own, and Python packages ask for both.

        Args:
            home: a directory it may write to.
            workspace: what is /workspace in a container.
        """
        found = {
            "HOME": home,
            "USER": "quantization",
            "LOGNAME": "quantization",
            "MPLCONFIGDIR": home,
            "WORKSPACE": workspace,
            "TF_ENABLE_ONEDNN_OPTS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if self.threads is not None:
            found["OMP_NUM_THREADS"] = str(self.threads)
        return found

    def _inside(self, option: Option) -> object:
        """The value of an option as the inside knows it."""
        value: object = getattr(self, option.name)
        if not isinstance(value, Path):
            return value
        if option.place is None:
            return f"{FOLDER}/{value.name}"
        place = self._find_place(option, value)
        return f"{place}:{getattr(self, f'{option.name}_name')}" if option.value is FUNCTION else place

    def _find_place(self, option: Option, source: Path) -> str:
        """Where below the workspace a path of the user appears."""
        place = option.place
        assert place is not None
        return f"{place.folder}/{source.name}" if place.named or source.is_file() else place.folder
