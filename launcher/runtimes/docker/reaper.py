"""Containers that outlived their launcher: found by label, and removed.

A launcher that is killed outright cannot remove its container. Each container says whose it is: a
user, a machine, a boot of it, a process. Another machine's launcher, or one of another user, is never
taken for dead.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launch_quantization.errors import LauncherError
from launch_quantization.runtimes.docker.engine import Engine, translated
from launch_quantization.signals import shield

_NAMESPACE = "io.github.quantization"
RUN = f"{_NAMESPACE}.run"
OWNER = f"{_NAMESPACE}.owner"
_HOST = f"{_NAMESPACE}.host"
_BOOT = f"{_NAMESPACE}.boot"
_PROCESS = f"{_NAMESPACE}.process"


@dataclass(frozen=True)
class OurContainer:
    """A container of ours.

    Attributes:
        id: its id on the engine.
        name: its name.
        run_id: id of the run it belongs to.
        owner: uid of the user that started it.
        local: it was started from this machine.
        here: it was started from this machine, by this user.
        alive: its launcher lives, or may live: of another user's, or on another machine, that is not for us to say.
        gone: its launcher is known to be gone, whoever's it was.
        created: when, in unix seconds.
    """

    id: str
    name: str
    run_id: str
    owner: int
    local: bool
    here: bool
    alive: bool
    gone: bool
    created: int


def container_name(run_id: str) -> str:
    """Name of the container of a run."""
    return f"quantization-{run_id}"


def labels(run_id: str) -> dict[str, str]:
    """The labels of a container that this process starts."""
    return {
        RUN: run_id,
        OWNER: str(os.getuid()),
        _HOST: _read_host(),
        _BOOT: _boot_id(),
        _PROCESS: _read_process(os.getpid()),
    }


def our_containers(engine: Engine) -> list[OurContainer]:
    """All containers of this tool on the engine, running or not.

    The label alone does not make one ours: ``docker commit`` of a shell keeps it, and whatever the user
    starts from that image inherits it. The name does not go along.
    """
    with translated("listing the containers of", "the engine"):
        found = engine.client.containers(all=True, filters={"label": RUN})
        listed = [_read_entry(entry) for entry in found]
    return [container for container in listed if container.name == container_name(container.run_id)]


def reap(engine: Engine, warn: Callable[[str], None]) -> list[str]:
    """Remove this user's containers whose launcher on this machine is gone; returns their names.

    Args:
        engine: where.
        warn: told of each that the engine does not remove; it is in nobody's way.
    """
    removed = []
    for container in our_containers(engine):
        if container.here and not container.alive:
            try:
                if remove(engine, container.id):
                    removed.append(container.name)
            except LauncherError as error:
                warn(f"a container that a killed launcher left stays: {error.message}")
    return removed


def remove(engine: Engine, container: str) -> bool:
    """Kill and remove a container; False where there was none. Signals wait until it is done."""
    import docker.errors

    with shield(), translated("removing container", container):
        try:
            engine.client.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:
            return False
        except docker.errors.APIError as error:
            # Somebody else is removing it at this moment.
            if error.status_code != 409:
                raise
    return True


def _read_entry(entry: dict[str, object]) -> OurContainer:
    found = entry.get("Labels")
    tags: dict[str, str] = found if isinstance(found, dict) else {}
    owner = int(tags[OWNER]) if tags.get(OWNER, "").isdecimal() else -1
    names = entry.get("Names")
    name = str(names[0]).lstrip("/") if isinstance(names, list) and names else str(entry["Id"])[:12]
    local = tags.get(_HOST) == _read_host()
    lives = _is_alive(tags.get(_BOOT, ""), tags.get(_PROCESS, ""))
    created = entry.get("Created")
    return OurContainer(
        id=str(entry["Id"]),
        name=name,
        run_id=tags.get(RUN, ""),
        owner=owner,
        local=local,
        here=local and owner == os.getuid(),
        alive=lives or not (local and owner == os.getuid()),
        gone=local and not lives,
        created=created if isinstance(created, int) else 0,
    )


def _is_alive(boot: str, process: str) -> bool:
    if boot != _boot_id():
        return False
    pid = process.partition(":")[0]
    if not pid.isdecimal():
        return False
    found = _read_process(int(pid))
    # Of another user's process nothing may be seen but that it is there (/proc with hidepid).
    return found == process or (not found and _can_signal(int(pid)))


def _read_host() -> str:
    """The machine as far as process ids mean the same on it: containers may share its name, not its processes."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".rstrip()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _read_process(pid: int) -> str:
    """``pid:start time``, which tells a process from a later one with the same pid; without /proc ``pid:``."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):  # the latter when it ends between opening and reading
        return f"{pid}:" if not Path("/proc/self").exists() and _can_signal(pid) else ""
    # The name in the second field may hold anything, parentheses included; the 22nd field is the start.
    return f"{pid}:{stat.rpartition(')')[2].split()[19]}"


def _can_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
