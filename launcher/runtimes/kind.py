"""What a runtime is to the rest: one object in ``kind.py`` of its folder says how to open, build, examine and clean it.

A new runtime is a folder here and its name in ``contract/words.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from launch_quantization.contract.command_options import BuildOptions, CleanOptions, DoctorOptions
from launch_quantization.contract.options import RunOptions
from launch_quantization.runtimes.runtime import Runtime
from launch_quantization.stream.lines import BuildLog

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at.
        level: ``ok``, ``warning`` or ``problem``.
        found: one line.
        remedy: one line; empty when all is well.
    """

    check: str
    level: str
    found: str
    remedy: str = ""


class Told(Protocol):
    """Who is told in one line what happens; every View is one."""

    def note(self, message: str) -> None:
        """What is done, and why."""

    def warn(self, message: str) -> None:
        """What the user should see."""


class Kind(ABC):
    """One kind of runtime. Where it cannot be had here, its methods raise an error that is ``elsewhere``.

    Attributes:
        name: of its folder, and what ``--runtime`` calls it.
        where: of a job that runs so, e.g. ``in a container``.
        makes: what is built for it, e.g. ``an image``.
        need: name of the finding without which no job can run so.
        exit_code: of doctor, where that need is not met.
    """

    name: ClassVar[str]
    where: ClassVar[str]
    makes: ClassVar[str]
    need: ClassVar[str]
    exit_code: ClassVar[int]

    @abstractmethod
    def open(self, options: RunOptions[str], run_id: str | None, told: Told) -> Runtime:
        """The runtime that the options ask for; nothing is built yet.

        Args:
            options: of the call.
            run_id: id of the record of this run; None where nothing will be run.
            told: what could not be cleaned up, and which options say nothing here.
        """

    def ensure(self, runtime: Runtime, options: RunOptions[str], log: BuildLog) -> None:
        """Make ready what a job needs in it; with ``--runtime auto`` a kind may do more for that."""
        runtime.ensure(log)

    @abstractmethod
    def build(self, options: BuildOptions, log: BuildLog) -> str:
        """Build what a run would need; returns its name or path."""

    @abstractmethod
    def examine(self, options: DoctorOptions) -> Iterator[Finding]:
        """What doctor says of it, the finding called ``need`` among them."""

    @abstractmethod
    def list_variants(self, options: DoctorOptions) -> Mapping[str, str]:
        """What there is of each TensorFlow variant, in a few words; empty where that cannot be known."""

    @abstractmethod
    def clean(self, options: CleanOptions, told: Told) -> Iterator[str]:
        """Remove what dead launchers left and what the options name, or only say it; yields what was."""
