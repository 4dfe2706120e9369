"""The embedded default: the same job in a locked virtual environment, where no engine answers.

Where bubblewrap is, the job is walled in by it, and inside everything is where a container has it. Where it is not,
the workspace is a directory of links in the staging directory, and what a wall would forbid is not forbidden;
``describe`` says so.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from launch_quantization.building.context import context_root, lock_file
from launch_quantization.building.identity import checkout_identity
from launch_quantization.contract.words import WORKSPACE
from launch_quantization.errors import EngineUnreachableError, Interrupted, LauncherError, UsageError
from launch_quantization.job.job import MEMORY_SHARE, PROCESSES, TMP_SHARE, Job
from launch_quantization.output.staging import OUTPUT, refusing
from launch_quantization.processes.process import Limits, run_supervised
from launch_quantization.runtimes.local.environment import Environment, find_environment, in_use, make_environment
from launch_quantization.runtimes.local.wall import Wall, find_wall
from launch_quantization.runtimes.local.walled_job import Start, WalledJob
from launch_quantization.runtimes.watch import Room, Watch, output_room
from launch_quantization.signals import handed_over, shield
from launch_quantization.stream.lines import BuildLog, LineSink

_HANG_UP_SECONDS = 5
_LEAST_TEMPORARY = 2 << 30
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_BASHRC = r"""PS1='\[\e[1;34m\]quantization\[\e[0m\]:\W\$ '
alias ls='ls --color=auto'
"""


class LocalRuntime:
    """Runs jobs with the packages of a variant's lock file.

    Args:
        variant: TensorFlow variant.
        ca_bundle: certificates pip is to trust when the environment is made.
        insist: refuse to run without a wall.
    """

    name = "local"

    def __init__(self, variant: str, ca_bundle: Path | None = None, *, insist: bool = False) -> None:
        self._variant = variant
        self._ca_bundle = ca_bundle
        self._insist = insist
        self._found: Environment | None = None
        self._wall: Wall | None = None

    @property
    def environment(self) -> Environment:
        """Where its packages are, or will be.

        Raises:
            BuildError: no Python here serves.
        """
        if self._found is None:
            self._found = find_environment(lock_file(self._variant))
        return self._found

    @property
    def wall(self) -> Wall:
        """What walls its jobs in.

        Raises:
            BuildError: no Python here serves.
            EngineUnreachableError: nothing does, and it was insisted upon.
        """
        if self._wall is None:
            self._wall = find_wall(self.environment)
        if self._insist and not self._wall.holds:
            raise EngineUnreachableError(f"--runtime bwrap: {self._wall.problem}", self._wall.remedy)
        return self._wall

    def describe(self) -> str:
        """One line: what runs, and what it lacks."""
        where = f"local environment with TensorFlow {self._variant} on Python {self.environment.base.full}"
        if self.wall.holds:
            return f"{where}, walled in by bubblewrap {self.wall.version}"
        return (
            f"{where}; not walled in, as {self.wall.problem}: "
            "a graph is a program, use only graphs you trust, or see launch_quantization doctor"
        )

    def is_ready(self) -> bool:
        """Whether the environment is made."""
        return self.environment.complete

    def ensure(self, log: BuildLog, *, force: bool = False) -> None:
        """Make the environment unless it is there.

        Raises:
            BuildError: no Python serves, or pip failed.
        """
        make_environment(self.environment, log, self._ca_bundle, force=force)

    def run(self, job: Job, staging: Path, on_line: LineSink) -> int:
        """Run the job to its end; none of its processes is left afterwards.

        Raises:
            OutOfMemoryError: its processes held more than the limit.
            DeadlineError: it took longer than ``job.timeout``, or than ``job.stall_timeout`` without progress.
            OutputRefusedError: it wrote too much.
            QuantizationFailedError: it printed too much, or behind a wall started too many processes.
        """
        with in_use(self.environment), self._start(job, staging, staging / OUTPUT) as start:
            rooms = [output_room(job, staging / OUTPUT), _temporary_room(job, staging)]
            watch = Watch(on_line, job, rooms)
            return run_supervised(
                [*start.prefix, str(self.environment.python), *job.command()[1:]],
                variables=start.variables,
                directory=start.directory,
                on_line=watch,
                check=watch.check,
                descriptors=start.descriptors,
                limits=Limits(
                    cpus=job.cpus,
                    memory=job.memory if job.memory is not None else default_memory(),
                    timeout=job.timeout,
                    file_size=max(room.limit for room in rooms),
                    processes=PROCESSES if self.wall.holds else None,
                ),
            )

    def shell(self, job: Job, staging: Path) -> int:
        """bash in the workspace, on this terminal; without a terminal it reads commands from stdin."""
        terminal = {"TERM": os.environ.get("TERM", "dumb")}
        with in_use(self.environment), self._start(job, staging, job.output_dir, terminal) as start:
            with refusing(f"cannot write to {staging / 'home'}"):
                (staging / "home" / ".bashrc").write_text(_BASHRC, "utf-8")
            command = [*start.prefix, "bash"]
            if os.isatty(0):
                command += ["--rcfile", f"{start.home}/.bashrc", "-i"]
            return _run_shell(command, start)

    @contextlib.contextmanager
    def _start(
        self, job: Job, staging: Path, output: Path, terminal: Mapping[str, str] | None = None
    ) -> Iterator[Start]:
        """How a command is started, behind the wall where there is one; ``terminal``: variables of a shell."""
        more = terminal or {}
        if self.wall.holds:
            with self._wall_in(job, output).started(staging, more, terminal=terminal is not None) as start:
                yield start
            return
        workspace = make_workspace(job, staging, output)
        variables = {**self._make_variables(workspace, job), **more}
        yield Start((), variables, workspace, os.fspath(staging / "home"))

    def _wall_in(self, job: Job, output: Path) -> WalledJob:
        return WalledJob(self.wall, self.environment, context_root() / "quantization", job, output)

    def identity(self) -> dict[str, object]:
        """The lock file, the package, the Python and the wall."""
        return {
            "runtime": self.name,
            **checkout_identity(self._variant),
            "python": self.environment.base.full,
            "wall": f"bubblewrap {self.wall.version}" if self.wall.holds else None,
        }

    def plan(self, job: Job, staging: Path) -> dict[str, object]:
        """The same job as one pasteable command."""
        environment, wall = self.environment, self.wall
        return {
            "runtime": self.name,
            "wall": f"bubblewrap {wall.version}" if wall.holds else None,
            "environment": os.fspath(environment.path),
            "ready": environment.complete,
            "python": os.fspath(environment.base.path),
            "lock": os.fspath(environment.lock),
            "memory": job.memory if job.memory is not None else default_memory(),
            "command": self._wall_in(job, job.output_dir).command_line() if wall.holds else self._unwalled_line(job),
        }

    def _unwalled_line(self, job: Job) -> list[str]:
        """As an argv that makes and removes a workspace."""
        variables = self._make_variables(Path(WORKSPACE), job)
        variables["HOME"] = variables["TMPDIR"] = variables["MPLCONFIGDIR"] = "$w/home"
        variables["WORKSPACE"] = "$w"
        links = _list_links(job, job.output_dir)
        folders = sorted({"home", *(target.split("/")[0] for target in links if "/" in target)})
        made = " ".join(f'"$w/{folder}"' for folder in folders)
        steps = ["set -e", "w=$(mktemp -d)", f"mkdir {made}"]
        for target, source in links.items():
            steps.append(f'ln -s {shlex.quote(os.fspath(source))} "$w"/{shlex.quote(target)}')
        assigned = " ".join(
            f'"{name}={value}"' if "$w" in value else shlex.quote(f"{name}={value}")
            for name, value in variables.items()
        )
        command = shlex.join([str(self.environment.python), *job.command()[1:]])
        steps += ['cd "$w"', f"status=0; env -i {assigned} {command} || status=$?", 'rm -r "$w"', "exit $status"]
        return ["sh", "-c", "; ".join(steps)]

    def _make_variables(self, workspace: Path, job: Job) -> dict[str, str]:
        """The whole environment of a job: nothing of the caller's but what is listed here."""
        home = os.fspath(workspace.parent / "home")
        return {
            **job.variables(home, os.fspath(workspace)),
            "PATH": f"{self.environment.path / 'bin'}:{_SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "TMPDIR": home,
            "PYTHONPATH": _python_path(context_root() / "quantization"),
            "PYTHONNOUSERSITE": "1",
        }


def make_workspace(job: Job, staging: Path, output: Path) -> Path:
    """A directory that has inside it, as links, what a container would have below /workspace.

    Args:
        job: what is mounted.
        staging: a private directory, where it is made, beside a home directory.
        output: what becomes ``output``.

    Raises:
        OutputRefusedError: it cannot be made, as on a full disk.
    """
    workspace = staging / "workspace"
    with refusing(f"cannot make {workspace}"):
        workspace.mkdir(mode=0o700)
        (staging / "home").mkdir(mode=0o700)
        for target, source in _list_links(job, output).items():
            (workspace / target).parent.mkdir(mode=0o700, exist_ok=True)
            (workspace / target).symlink_to(source)
    return workspace


def _list_links(job: Job, output: Path) -> Mapping[str, Path]:
    """Name below the workspace -> what it is on this machine."""
    links = {mount.target.removeprefix(WORKSPACE + "/"): mount.source for mount in job.mounts()}
    return {**links, "output": output, "quantization": context_root() / "quantization"}


def _python_path(package: Path) -> str:
    """PYTHONPATH can hold no colon; then it is the link in the workspace, where a job starts."""
    path = os.fspath(package)
    return path if os.pathsep not in path else "quantization"


def _temporary_room(job: Job, staging: Path) -> Room:
    """As large as /tmp in a container, but never small."""
    memory = job.memory if job.memory is not None else default_memory()
    limit = max(memory // TMP_SHARE, _LEAST_TEMPORARY)
    folders = tuple(staging / name for name in ("workspace", "home", "shm"))
    return Room(folders, limit, "temporary files", "it depends on the memory: raise --memory")


def default_memory() -> int:
    """Bytes a job may hold unless --memory says more: most of what this machine, or our cgroup, has."""
    return int(_all_memory() * MEMORY_SHARE)


def check_limits(cpus: float | None, memory: int | None) -> None:
    """Refuse limits above what there is; None is no limit.

    Args:
        cpus: how many.
        memory: bytes.

    Raises:
        UsageError: this machine, our cgroup, or our CPU affinity, has less.
    """
    there = len(os.sched_getaffinity(0))
    if cpus is not None and cpus > there:
        raise UsageError(f"--cpus {cpus:g}: there are {there} for us on this machine", f"at most --cpus {there}")
    limit = _all_memory()
    if memory is not None and memory > limit:
        raise UsageError(
            f"--memory {memory >> 20}m: this machine has {limit >> 20}m", f"at most --memory {limit >> 20}m"
        )


def _all_memory() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text("ascii"))
    except (OSError, ValueError):  # no such cgroup, or "max"
        limit = total
    return min(total, limit)


def _run_shell(command: list[str], start: Start) -> int:
    """The shell's exit status; a signal to the launcher hangs the shell up."""
    process: subprocess.Popen[bytes] | None = None
    try:
        with shield():
            process = subprocess.Popen(
                command, cwd=start.directory, env=dict(start.variables), pass_fds=start.descriptors
            )
        with handed_over():
            status = process.wait()
    except FileNotFoundError:
        raise LauncherError("--debug needs bash, which is not on this machine", "install bash") from None
    except Interrupted:
        if process is not None:
            _hang_up(process)
        raise
    return status if status >= 0 else 128 - status


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    with shield():
        process.send_signal(signal.SIGHUP)
        try:
            process.wait(_HANG_UP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
