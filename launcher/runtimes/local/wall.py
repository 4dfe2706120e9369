"""The wall around a local job: bubblewrap, which gives it namespaces of its own, as an engine gives a container.

Inside there are the system's programs and libraries, the Python and its packages, and below /workspace what a
container would have there. No home, no network, no capabilities; all but /workspace/output and /tmp is read-only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launch_quantization.contract.words import WORKSPACE
from launch_quantization.job.job import Mount
from launch_quantization.runtimes.local.environment import Environment
from launch_quantization.runtimes.local.seccomp import seccomp_filter

PROGRAM_VARIABLE = "QUANTIZATION_BWRAP"
"""Names the bubblewrap to use; ``none``: do without."""

_INSTALL = "apt install bubblewrap, or dnf install bubblewrap; a Docker engine is the other way"
_PROBE_SECONDS = 20
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix", "gnu")
"""Folders of the root that hold programs and libraries, as far as they are there."""
_SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives")
"""What of /etc programs and libraries are found by."""
_CPU_FACTS = "/sys/devices/system"
"""Where libraries learn of caches and cores."""
_SWITCHES = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "install the AppArmor profile bwrap-userns-restrict (apt install apparmor-profiles)",
    ),
)
"""Kernel settings that forbid user namespaces: file, the value that does, and what an administrator can do."""


@dataclass(frozen=True)
class Wall:
    """Whether jobs can be walled in here.

    Attributes:
        program: the bubblewrap that does it; None where none can.
        version: of it, or empty.
        problem: why not, one line; empty where it can be.
        remedy: what to do about that.
    """

    program: Path | None
    version: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def holds(self) -> bool:
        """Whether it can be used."""
        return self.program is not None


@dataclass(frozen=True)
class Inside:
    """What a walled-in process has.

    Attributes:
        environment: the Python and its packages.
        package: the host's folder that is /workspace/quantization.
        mounts: what it may read below /workspace.
        output: the host's folder that is /workspace/output, writable; None: there is none.
        temporary: writable folders, such as /tmp: target -> the host's folder, or None for one in memory.
        variables: its whole environment.
    """

    environment: Environment
    package: Path
    mounts: Sequence[Mount] = ()
    output: Path | None = None
    temporary: Mapping[str, Path | None] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def find_wall(environment: Environment) -> Wall:
    """Look for bubblewrap, and try whether the environment's Python starts in it.

    Args:
        environment: it need not have been made yet.
    """
    named = os.environ.get(PROGRAM_VARIABLE, "")
    if named == "none":
        return Wall(None, problem=f"{PROGRAM_VARIABLE}=none says so", remedy=f"unset {PROGRAM_VARIABLE}")
    found = shutil.which(named or "bwrap")
    if found is None:
        missing = f"{PROGRAM_VARIABLE}={named} is no program" if named else "bubblewrap is not installed"
        return Wall(None, problem=missing, remedy=_INSTALL)
    program = Path(found)
    prefix = _find_prefix(environment)
    if Path.home().is_relative_to(prefix) and prefix != Path("/"):
        return Wall(
            None,
            problem=f"the Python {environment.base.path} has your home as its prefix",
            remedy="install Python into a folder of its own, such as by pyenv or uv",
        )
    command = [os.fspath(environment.base.path), "-I", "-c", "import ctypes, hashlib, zlib"]
    wall = Wall(program)
    try:
        done = subprocess.run(
            [*walled(wall, Inside(environment, Path("/usr")), None), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
        version = subprocess.run([program, "--version"], capture_output=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return Wall(None, problem=f"{program} does not start: {error}", remedy=_INSTALL)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return Wall(
            None,
            problem=f"{program} cannot start Python: {said[-1] if said else 'it gives no reason'}",
            remedy=_find_remedy(),
        )
    return Wall(program, version.stdout.decode("utf-8", "replace").strip().rpartition(" ")[2])


def _find_remedy() -> str:
    for path, value, remedy in _SWITCHES:
        try:
            if Path(path).read_text("ascii").strip() == value:
                return f"user namespaces are forbidden here ({path} is {value}): {remedy}"
        except OSError:
            continue  # this kernel has no such setting
    return "see that user namespaces are allowed here (unshare --user true), or use a Docker engine"


def filter_descriptor() -> int:
    """A descriptor to read the filter of system calls from; for one process, which closes it."""
    descriptor = os.memfd_create("seccomp")
    os.write(descriptor, seccomp_filter())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def walled(wall: Wall, inside: Inside, seccomp: int | None, *, terminal: bool = False) -> list[str]:
    """The argv that a command is to follow to run behind the wall.

    Args:
        wall: one that holds.
        inside: what the command has there.
        seccomp: a descriptor from ``filter_descriptor``, which must stay open in the process; None: no filter.
        terminal: the command is a shell that controls this terminal.
    """
    argv = [os.fspath(wall.program or "bwrap"), "--unshare-all", "--unshare-user", "--die-with-parent"]
    if not terminal:
        argv.append("--new-session")
    # The caller's own ids: what the job writes belongs to the caller.
    argv += ["--cap-drop", "ALL", "--uid", str(os.getuid()), "--gid", str(os.getgid()), "--hostname", "quantization"]
    argv += [*_bind_system(), "--proc", "/proc", "--dev", "/dev", "--ro-bind-try", _CPU_FACTS, _CPU_FACTS]
    for target, source in inside.temporary.items():
        argv += ["--tmpfs", target] if source is None else ["--bind", os.fspath(source), target]
    argv += _bind_python(inside.environment)
    for mount in inside.mounts:
        argv += ["--ro-bind", os.fspath(mount.source), mount.target]
    argv += ["--ro-bind", os.fspath(inside.package), f"{WORKSPACE}/quantization"]
    if inside.output is not None:
        argv += ["--bind", os.fspath(inside.output), f"{WORKSPACE}/output"]
    argv += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORKSPACE]
    if seccomp is not None:
        argv += ["--seccomp", str(seccomp)]
    argv.append("--clearenv")
    for name, value in inside.variables.items():
        argv += ["--setenv", name, value]
    return [*argv, "--"]


def _bind_system() -> list[str]:
    """The system's programs and libraries; links of the root stay links."""
    argv: list[str] = []
    for name in _SYSTEM:
        path = f"/{name}"
        if os.path.islink(path):
            argv += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            argv += ["--ro-bind", path, path]
    for name in _SETTINGS:
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return argv


def _find_prefix(environment: Environment) -> Path:
    """The folder that the Python was installed into."""
    return Path(os.path.realpath(environment.base.path)).parent.parent


def _bind_python(environment: Environment) -> list[str]:
    """The environment, the Python that it was made with, and the links that lead from one to the other."""
    real = _find_prefix(environment)
    folders = {os.fspath(environment.path): os.fspath(environment.path)}
    if not _is_system(real):
        folders[os.fspath(real)] = os.fspath(real)
    links: list[str] = []
    path = environment.base.path
    while path.is_symlink():  # such as ~/bin/python3.11, of whose folder nothing else is wanted
        target = os.readlink(path)
        if not _is_system(path.parent) and not any(path.is_relative_to(folder) for folder in folders):
            links += ["--symlink", target, os.fspath(path)]
        path = Path(os.path.normpath(path.parent / target))
    named = path.parent.parent  # the prefix as it is called, where a folder above it is a link
    if not _is_system(named):
        folders[os.fspath(named)] = os.fspath(real)
    argv: list[str] = []
    for target, source in folders.items():
        argv += ["--ro-bind-try", source, target]
    return argv + links


def _is_system(path: Path) -> bool:
    """Whether it is there already."""
    return path == Path("/") or any(path.is_relative_to(f"/{name}") for name in _SYSTEM)
