"""The hardened profile of a container, written once: as arguments of the SDK and as a ``docker run`` line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launch_quantization.contract.words import WORKSPACE
from launch_quantization.errors import BadInputError, UsageError
from launch_quantization.job.job import MEMORY_SHARE, PROCESSES, TMP_SHARE, Job, Mount
from launch_quantization.job.paths import check_readable
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.watch import output_limit

OUTPUT = f"{WORKSPACE}/output"


@dataclass(frozen=True)
class Profile:
    """What a container is created with. What is not listed here is the same for all of them.

    Attributes:
        image: tag or id.
        command: argv inside.
        user: ``uid:gid`` inside.
        groups: further groups of the user, which may be what lets it read the inputs.
        mounts: bind mounts.
        environment: variables inside.
        memory: limit in bytes, swap included; None where the engine does not say what it has.
        cpus: limit; None: all.
        file_size: bytes that a file may have; None: any number.
        security: security options.
        host_users: switch user-namespace remapping off, so that ``user`` is the caller.
        tty: with a pseudo-terminal.
        stdin: with standard input.
        labels: how it is found again.
    """

    image: str
    command: tuple[str, ...]
    user: str
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]
    memory: int | None = None
    cpus: float | None = None
    file_size: int | None = None
    groups: tuple[int, ...] = ()
    security: tuple[str, ...] = ("no-new-privileges",)
    host_users: bool = False
    tty: bool = False
    stdin: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def tmpfs(self) -> str:
        """Options of /tmp; it counts against the memory limit."""
        size = "" if self.memory is None else f",size={self.memory // TMP_SHARE}"
        return f"rw,noexec,nosuid,nodev,mode=1777{size}"

    def create_arguments(self, engine: Engine) -> dict[str, Any]:
        """Arguments of the SDK's ``create_container``."""
        from docker.types import LogConfig, Ulimit
        from docker.types import Mount as BindMount

        host_config = engine.client.create_host_config(
            mounts=[
                BindMount(mount.target, str(mount.source), type="bind", read_only=mount.read_only)
                for mount in self.mounts
            ],
            read_only=True,
            cap_drop=["ALL"],
            security_opt=list(self.security),
            network_mode="none",
            pids_limit=PROCESSES,
            mem_limit=self.memory,
            memswap_limit=self.memory,
            nano_cpus=None if self.cpus is None else round(self.cpus * 1e9),
            tmpfs={"/tmp": self.tmpfs},
            ulimits=[] if self.file_size is None else [Ulimit(name="fsize", soft=self.file_size, hard=self.file_size)],
            init=True,
            group_add=[str(group) for group in self.groups],
            userns_mode="host" if self.host_users else None,
            log_config=LogConfig(type=LogConfig.types.NONE),
        )
        return {
            "image": self.image,
            "command": list(self.command),
            "user": self.user,
            "environment": dict(self.environment),
            "working_dir": WORKSPACE,
            "tty": self.tty,
            "stdin_open": self.stdin,
            "labels": dict(self.labels),
            "host_config": host_config,
            # The SDK would add the proxies of ~/.docker/config.json, passwords included, to the environment.
            "use_config_proxy": False,
        }

    def command_line(self) -> list[str]:
        """The same container as a ``docker run`` argv; removed when it ends."""
        argv = ["docker", "run", "--rm", "--init", "--read-only", "--cap-drop=ALL", "--network=none"]
        argv.append("--log-driver=none")
        argv += [f"--security-opt={option}" for option in self.security]
        argv += [f"--group-add={group}" for group in self.groups]
        argv += [
            f"--user={self.user}",
            f"--pids-limit={PROCESSES}",
            f"--tmpfs=/tmp:{self.tmpfs}",
            f"--workdir={WORKSPACE}",
        ]
        if self.memory is not None:
            argv += [f"--memory={self.memory}", f"--memory-swap={self.memory}"]
        if self.cpus is not None:
            argv.append(f"--cpus={self.cpus:g}")
        if self.file_size is not None:
            argv.append(f"--ulimit=fsize={self.file_size}")
        if self.host_users:
            argv.append("--userns=host")
        if self.stdin:
            argv.append("--interactive")
        if self.tty:
            argv.append("--tty")
        argv += [f"--env={name}={value}" for name, value in self.environment.items()]
        argv += [f"--mount={mount_option(mount)}" for mount in self.mounts]
        return [*argv, self.image, *self.command]


def job_profile(
    engine: Engine, job: Job, image: str, output: Mount, command: tuple[str, ...], labels: Mapping[str, str]
) -> Profile:
    """The profile of a job, or of a shell in its workspace.

    Raises:
        UsageError: the job wants more CPUs or memory than the engine's machine has.
        BadInputError: a path is not UTF-8; or the caller is root, and an input can be read only with
            root's capabilities.
    """
    check_limits(engine, job.cpus, job.memory)
    for mount in (*job.mounts(), output):
        _check_name(mount.source)
    if os.getuid() == 0 and not engine.rootless:
        for mount in job.mounts():
            check_readable(mount.source)
    security = ["no-new-privileges"]
    if engine.selinux:
        # Relabelling the user's own files, as :z would, outlives the container; this does not.
        security.append("label=disable")
    memory = job.memory if job.memory is not None else default_memory(engine)
    return Profile(
        image=image,
        command=command,
        user=_choose_user(engine),
        mounts=(*job.mounts(), output),
        environment=job.variables(home="/tmp", workspace=WORKSPACE),
        memory=memory,
        cpus=job.cpus,
        file_size=None if job.debug else max(output_limit(job), (memory or 0) // TMP_SHARE),
        groups=_choose_groups(engine),
        security=tuple(security),
        host_users=engine.remapped,
        labels=labels,
    )


def check_limits(engine: Engine, cpus: float | None, memory: int | None) -> None:
    """Refuse more than the engine's machine has, where the engine says what that is.

    Raises:
        UsageError: there is less.
    """
    if cpus is not None and engine.cpus and cpus > engine.cpus:
        raise UsageError(f"--cpus {cpus:g}: the engine's machine has {engine.cpus}", f"at most --cpus {engine.cpus}")
    if memory is not None and engine.memory and memory > engine.memory:
        raise UsageError(
            f"--memory {memory >> 20}m: the engine's machine has {engine.memory >> 20}m",
            f"at most --memory {engine.memory >> 20}m",
        )


def default_memory(engine: Engine) -> int | None:
    """Bytes a job may use unless --memory says more: most of the engine's machine."""
    return int(engine.memory * MEMORY_SHARE) or None


def _choose_user(engine: Engine) -> str:
    """The caller. Under a rootless engine root inside is the caller outside, and uid 1000 somebody else."""
    return "0:0" if engine.rootless else f"{os.getuid()}:{os.getgid()}"


def _choose_groups(engine: Engine) -> tuple[int, ...]:
    """The caller's other groups; a rootless engine cannot map them."""
    return () if engine.rootless else tuple(sorted(set(os.getgroups()) - {os.getgid()}))


def _check_name(path: Path) -> None:
    """The engine's interface is JSON, which holds no bytes but UTF-8: it would look for another name."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise BadInputError(
            f"the path {path} is not UTF-8, which an engine cannot mount",
            "rename the folder, or use --runtime local",
        ) from None


def mount_option(mount: Mount) -> str:
    """The value of ``--mount``: one CSV record, so a path with a comma or a quote is quoted."""
    fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    if mount.read_only:
        fields.append("readonly")
    return ",".join(_csv_field(field) for field in fields)


def _csv_field(text: str) -> str:
    """As the engine's CSV reader wants it. Python's writer leaves a newline unquoted unless it ends lines too."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text
