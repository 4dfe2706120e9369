"""The Docker runtime: a job, or a shell, in a hardened container that is gone afterwards."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from launch_quantization.building.identity import checkout_identity
from launch_quantization.errors import (
    DeadlineError,
    EngineUnreachableError,
    ImageMissingError,
    Interrupted,
    OutOfMemoryError,
)
from launch_quantization.job.job import Job, Mount
from launch_quantization.processes.kernel import SIGKILLED, oom_kills
from launch_quantization.runtimes.docker import shell as terminal
from launch_quantization.runtimes.docker.container import Attachment, Container, Demultiplexer, End
from launch_quantization.runtimes.docker.engine import Engine, translated
from launch_quantization.runtimes.docker.image.build import DEFAULT_VARIANT, LATEST, ImageSpec, ensure_image, find_image
from launch_quantization.runtimes.docker.image.store import image_content, image_id
from launch_quantization.runtimes.docker.profile import OUTPUT, Profile, job_profile
from launch_quantization.runtimes.docker.reaper import OurContainer, container_name, labels, our_containers, reap
from launch_quantization.runtimes.watch import Watch, output_room
from launch_quantization.signals import patience
from launch_quantization.stream.lines import BuildLog, LineSink, LineSplitter

__all__ = ["DockerRuntime", "OurContainer", "our_containers", "reap"]

_NO_SUCH_COMMAND = 127
"""Exit status of the init process in a container where it cannot run the command."""
_ENDING_SECONDS = 60.0
"""How long a container may still run after the end of its output, which only its last process closes."""
_TICK_SECONDS = 0.5
_SILENT_SECONDS = 10.0
"""After so long without output it is looked at whether the container still runs: an engine that is ill may not say."""

_PACKAGE = "intel_quantization"


class DockerRuntime:
    """Runs jobs in containers of one engine.

    Args:
        engine: where.
        image: what the user named with --docker-image, which is taken as it is; None: the image of
            this launcher, which ``ensure`` builds where it is missing. ``quantization:latest`` is
            built too where it is missing, so that the original tool's calls work at once.
        spec: which image of this launcher.
        run_id: id of the run, part of the container's name; None: a new one.
        warn: told what goes wrong while cleaning up.
    """

    name = "docker"

    def __init__(
        self,
        engine: Engine,
        *,
        image: str | None = None,
        spec: ImageSpec | None = None,
        run_id: str | None = None,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._engine = engine
        self._named = image
        self._spec = spec or ImageSpec()
        self._image: str | None = None
        self._warn = warn
        self.run_id = run_id or secrets.token_hex(6)

    @property
    def container_name(self) -> str:
        """Name of the container while it exists."""
        return container_name(self.run_id)

    def describe(self) -> str:
        """One line: engine, image, and whom a rootless engine runs it as."""
        rootless = "; rootless: uid 0 inside is you outside" if self._engine.rootless else ""
        missing = "to be built" if self._buildable else f"{self._named}, which is not there"
        return f"{self._engine.describe()}, image {self._find() or missing}{rootless}"

    def is_ready(self) -> bool:
        """Whether the image is there."""
        return self._find() is not None

    def ensure(self, log: BuildLog) -> None:
        """Build the image unless it is there.

        Raises:
            BuildError: it could not be built.
            ImageMissingError: the user named one that is not there.
        """
        if self._find() is not None:
            return
        if self._named not in (None, LATEST):
            raise ImageMissingError(
                f"the image {self._named} is not on the engine",
                f"docker pull {self._named}; or leave --docker-image out, and the launcher builds its own",
            )
        if self._named == LATEST and self._spec.variant != DEFAULT_VARIANT:
            raise ImageMissingError(
                f"the image {LATEST} is not on the engine, and is TensorFlow {DEFAULT_VARIANT} by definition",
                f"leave --docker-image out to use TensorFlow {self._spec.variant}",
            )
        self._image = ensure_image(self._engine, self._spec, log)

    def run(self, job: Job, staging: Path, on_line: LineSink) -> int:
        """Run the job; its container is gone when this returns or raises.

        Args:
            job: what to do.
            staging: its ``output`` becomes /workspace/output.
            on_line: takes each line of output.

        Returns:
            The exit status; 128 + number where a signal ended the job.

        Raises:
            OutOfMemoryError: the job, or a child of it, met its memory limit, or the kernel ran out, and it failed.
            DeadlineError: ``job.timeout`` seconds passed, or ``job.stall_timeout`` without progress.
            OutputRefusedError: it wrote too much.
            ImageMissingError: the image is gone, or was not built by this tool.
            EngineUnreachableError: the engine cut the job's output off.
            QuantizationFailedError: somebody removed the container.
            Interrupted: a signal came; the job was asked to end, and killed on a second signal.
        """
        profile = self._make_profile(job, staging / "output", job.command())
        lacks = _PackageLacking(on_line)
        watch = Watch(lacks, job, [output_room(job, staging / "output")])
        until = None if job.timeout is None else time.monotonic() + job.timeout
        killed_before = oom_kills()
        with Container(self._engine, self.container_name, profile, self._warn) as container:
            try:
                end = _follow(container, watch, until)
            except Interrupted:
                with patience():
                    container.stop()
                raise
            if end is None:
                container.stop()
                raise DeadlineError(
                    f"the job took longer than --timeout {job.timeout:g} s", "give it more time, or fewer --samples"
                )
        if end.out_of_memory and end.exit_code != 0:
            limit = "the engine's memory" if profile.memory is None else f"its limit of {profile.memory >> 20} MiB"
            raise OutOfMemoryError(
                f"the job needed more memory than {limit}",
                "lower --batch_size or --samples, or give it more with --memory",
            )
        if end.exit_code == SIGKILLED and not self._engine.remote and oom_kills() > killed_before:
            raise OutOfMemoryError(
                "the kernel ran out of memory and killed the job",
                "lower --batch_size or --samples, or set a limit with --memory",
            )
        if end.exit_code == _NO_SUCH_COMMAND or (end.exit_code == 1 and lacks.package):
            what = _PACKAGE if lacks.package else profile.command[0]
            raise ImageMissingError(
                f"the image {profile.image} has no {what}: it was not built by this tool",
                "leave --docker-image out to use the image of this launcher",
            )
        return end.exit_code

    def shell(self, job: Job, staging: Path) -> int:
        """bash in the workspace, on this terminal; without a terminal it reads commands from stdin."""
        interactive = terminal.has_terminal()
        profile = self._shell_profile(job, tty=interactive)
        with Container(self._engine, self.container_name, profile, self._warn) as container:
            attachment = container.attach()
            try:
                container.start()
                if interactive:
                    terminal.interact(attachment, container.resize)
                else:
                    terminal.pipe(attachment)
                end = container.wait(time.monotonic() + 1)
            finally:
                attachment.close()
        return 128 + 1 if end is None else end.exit_code

    def identity(self) -> dict[str, object]:
        """The image, and, where it is this launcher's, what went into it."""
        image = self._find() or self._named or LATEST
        ours = self._named is None or image != self._named
        made_of = checkout_identity(self._spec.variant) if ours else {"tensorflow": self._spec.variant, "packages": []}
        return {
            "runtime": self.name,
            **made_of,
            "engine": self._engine.describe(),
            "image": image,
            "image_id": image_id(self._engine, image),
            "image_content": image_content(self._engine, image),
        }

    def plan(self, job: Job, staging: Path) -> dict[str, object]:
        """What would run; ``command`` is a ``docker run`` argv that does the same when pasted.

        It mounts the real output directory instead of the staging one, which does not exist yet.
        """
        profile = (
            self._shell_profile(job, tty=True) if job.debug else self._make_profile(job, job.output_dir, job.command())
        )
        return {
            "runtime": self.name,
            "engine": self._engine.describe(),
            "image": profile.image,
            "image_ready": self._find() is not None,
            "user": profile.user,
            "memory": profile.memory,
            "command": replace(profile, labels={}).command_line(),
        }

    @property
    def _buildable(self) -> bool:
        """Whether ``ensure`` would build what is missing."""
        return self._named is None or (self._named == LATEST and self._spec.variant == DEFAULT_VARIANT)

    def _find(self) -> str | None:
        """The image to use, None where it is not on the engine."""
        if self._image is None:
            if self._named is None:
                self._image = find_image(self._engine, self._spec)
            elif image_id(self._engine, self._named) is not None:
                self._image = self._named
        return self._image

    def _make_profile(self, job: Job, output: Path, command: Iterable[str]) -> Profile:
        image = self._find() or self._named or LATEST
        writable = Mount(output, OUTPUT, read_only=False)
        return job_profile(self._engine, job, image, writable, tuple(command), labels(self.run_id))

    def _shell_profile(self, job: Job, *, tty: bool) -> Profile:
        profile = self._make_profile(job, job.output_dir, ["bash"])
        environment = {**profile.environment, "TERM": os.environ.get("TERM", "dumb")} if tty else profile.environment
        return replace(profile, tty=tty, stdin=True, environment=environment)


class _PackageLacking:
    """A LineSink in front of another, which notes that an image has Python, but not our package.

    Attributes:
        package: Python said so, and the job said nothing.
    """

    def __init__(self, on_line: LineSink) -> None:
        self._on_line = on_line
        self._spoke = False
        self._missed = False

    @property
    def package(self) -> bool:
        return self._missed and not self._spoke

    def __call__(self, line: bytes, stream: str) -> None:
        self._spoke = self._spoke or stream == "stdout"
        self._missed = self._missed or line.endswith(f"No module named {_PACKAGE}".encode())
        self._on_line(line, stream)


def _follow(container: Container, watch: Watch, until: float | None) -> End | None:
    """Start the container and pass its lines on until it ends; None at the deadline."""
    demultiplexer = Demultiplexer()
    attachment = container.attach()
    try:
        container.start()
        if not _pass_on(container, attachment, demultiplexer, watch, until):
            return None
    finally:
        attachment.close()
    patient = time.monotonic() + _ENDING_SECONDS
    end = container.wait(patient if until is None else min(until, patient))
    if end is None and until is not None and time.monotonic() >= until:
        return None
    if end is None or (demultiplexer.within and end.exit_code == 0):
        # Whatever the job wrote after that is lost, and with it whether it succeeded.
        raise EngineUnreachableError(
            "the engine cut off the output of the job", "see whether the engine is well (docker info), and run again"
        )
    return end


def _pass_on(
    container: Container, attachment: Attachment, demultiplexer: Demultiplexer, watch: Watch, until: float | None
) -> bool:
    """Pass lines on until the stream, or else the container, ends; False at the deadline."""
    splitters = {"stdout": LineSplitter(), "stderr": LineSplitter()}
    heard = time.monotonic()
    while True:
        with translated("reading the output of", "the job"):
            data = attachment.receive(_TICK_SECONDS if until is None else _count_seconds(until))
        if data == b"":
            break
        if data or time.monotonic() - heard > _SILENT_SECONDS:
            heard = time.monotonic()
            if not data and container.wait(heard) is not None:
                break
        for stream, piece in demultiplexer.feed(data or b""):
            for line in splitters[stream].feed(piece):
                watch(line, stream)
        if until is not None and time.monotonic() >= until:
            return False
        watch.check()
    for stream, splitter in splitters.items():
        for line in splitter.flush():
            watch(line, stream)
    return True


def _count_seconds(moment: float) -> float:
    """Seconds to wait: to the next look at the job, or to the deadline."""
    return min(_TICK_SECONDS, max(0.001, moment - time.monotonic()))
