"""The Docker engine: find it, connect, check its version, and say plainly what went wrong with it.

The Docker SDK raises something else for each way in which an engine can be absent. ``translated``
turns all of them into the launcher's errors; no other module catches what the SDK raises.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from launch_quantization.errors import EngineTooOldError, EngineUnreachableError
from launch_quantization.stream.sanitize import safe_text

MINIMUM_API = (1, 41)
"""Engine 20.10: the oldest one that this launcher is tested with."""

ANSWER_SECONDS = 60
"""How long an engine may take for one answer; builds and attached streams have no such limit."""

_DEFAULT_SOCKET = "/var/run/docker.sock"
_START_HINT = "start Docker (as root on Debian or Ubuntu: make engine), or use --runtime local"
_PERMISSION_HINT = (
    "join the group that owns the socket (sudo usermod -aG docker $USER, then log in again), or use --runtime local"
)


@dataclass(frozen=True)
class Engine:
    """A connection to an engine that answers and is new enough.

    Attributes:
        client: the SDK's low-level client, a ``docker.APIClient``.
        address: where it listens, e.g. ``unix:///var/run/docker.sock``.
        name: ``Docker`` or ``Podman``.
        version: e.g. ``20.10.24``.
        api_version: e.g. ``1.41``.
        rootless: the engine runs as an ordinary user, whom its root stands for.
        remapped: root inside is an unprivileged user outside (userns-remap).
        selinux: the engine labels containers, which then cannot read unlabelled files.
        remote: it listens elsewhere, so that it cannot see the files of this machine.
        memory: of its machine, in bytes.
        cpus: of its machine.
        architecture: of its machine, e.g. ``x86_64``.
        operating_system: of its machine.
    """

    client: Any
    address: str
    name: str
    version: str
    api_version: str
    rootless: bool
    remapped: bool
    selinux: bool
    remote: bool
    memory: int
    cpus: int
    architecture: str
    operating_system: str

    def describe(self) -> str:
        """Name and version, and what is particular about it."""
        traits = [word for word in ("rootless", "remote") if getattr(self, word)]
        return f"{self.name} {self.version}" + (f" ({', '.join(traits)})" if traits else "")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def connect(timeout: int = ANSWER_SECONDS) -> Engine:
    """Connect as the ``docker`` command would: DOCKER_HOST, the current context, the usual sockets.

    Args:
        timeout: seconds to wait for an answer.

    Raises:
        EngineUnreachableError: none answers, or the settings name none that can be reached.
        EngineTooOldError: one answers, and speaks an API before 1.41 (engine 20.10).
    """
    address, tls = _find_address()
    with translated("connecting to", address or f"unix://{_DEFAULT_SOCKET}"):
        import docker

        client = docker.APIClient(base_url=address, tls=tls, timeout=timeout)
        try:
            return _check_version(client, address or f"unix://{_DEFAULT_SOCKET}")
        except BaseException:
            client.close()
            raise


def _find_address() -> tuple[str | None, Any]:
    """Where the engine listens, None for the default socket; and the SDK's TLS settings or False."""
    with translated("reading the Docker settings (DOCKER_HOST, DOCKER_CONTEXT, the current context) for", "the engine"):
        from docker.context import ContextAPI
        from docker.utils import kwargs_from_env

        if os.environ.get("DOCKER_HOST"):
            settings = kwargs_from_env()
            return settings["base_url"], settings.get("tls", False)
        wanted = os.environ.get("DOCKER_CONTEXT")
        contexts: Any = ContextAPI
        context = contexts.get_context(wanted) if wanted else contexts.get_current_context()
        if context is None and wanted:
            raise EngineUnreachableError(f"DOCKER_CONTEXT={wanted}: there is no such context", "see: docker context ls")
        if context is not None and context.Name != "default" and context.Host:
            return context.Host, context.TLSConfig or False
    if not Path(_DEFAULT_SOCKET).exists():
        run = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
        for name in ("docker.sock", "podman/podman.sock"):
            if Path(run, name).is_socket():
                return f"unix://{run}/{name}", False
    return None, False


def _check_version(client: Any, address: str) -> Engine:
    version, info = client.version(), client.info()
    api_version = str(version["ApiVersion"])
    if tuple(int(part) for part in api_version.split(".")[:2]) < MINIMUM_API:
        needed = ".".join(str(part) for part in MINIMUM_API)
        raise EngineTooOldError(
            f"the engine at {address} is too old: version {version.get('Version', '?')}, API {api_version} < {needed}",
            "install Docker 20.10 or newer, or use --runtime local",
        )
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    podman = any("podman" in str(part.get("Name", "")).lower() for part in version.get("Components") or ())

    def has(name: str) -> bool:
        return any(f"name={name}" in option.split(",") for option in options)

    return Engine(
        client=client,
        address=address,
        name="Podman" if podman else "Docker",
        version=str(version.get("Version", "?")).split("+")[0],
        api_version=api_version,
        rootless=has("rootless"),
        remapped=has("userns"),
        selinux=has("selinux"),
        remote=_is_remote(address),
        memory=int(info.get("MemTotal", 0)),
        cpus=int(info.get("NCPU", 0)),
        architecture=str(info.get("Architecture", "")),
        operating_system=str(info.get("OperatingSystem", "")),
    )


def _is_remote(address: str) -> bool:
    parts = urlsplit(address)
    here = ("localhost", "127.0.0.1", "::1")
    return parts.scheme not in ("unix", "http+unix", "npipe") and parts.hostname not in here


@contextmanager
def translated(doing: str, subject: str = "the engine") -> Iterator[None]:
    """Turn what the SDK and the layers below it raise into one clear EngineUnreachableError.

    Args:
        doing: what the body does, as in "removing"; begins the message.
        subject: what it does it to.
    """
    import http.client

    import docker.errors
    import requests.exceptions
    import urllib3.exceptions
    from docker.credentials.errors import StoreError

    try:
        yield
    except docker.errors.APIError as error:
        raise EngineUnreachableError(f"{doing} {subject}: the engine refused: {explanation(error)}") from error
    except docker.errors.InvalidVersion as error:
        text = safe_text(str(error))
        raise EngineTooOldError(f"{doing} {subject}: {text}", "install Docker 20.10 or newer") from error
    except StoreError as error:
        raise EngineUnreachableError(
            f"{doing} {subject}: the credential helper failed: {safe_text(str(error))}",
            "correct credsStore or credHelpers in ~/.docker/config.json",
        ) from error
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
    ) as error:
        reason, remedy = _explain(error)
        raise EngineUnreachableError(f"{doing} {subject}: {reason}", remedy) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # No JSON, or JSON of another shape: what listens there is no engine, or it is ill.
        raise EngineUnreachableError(
            f"{doing} {subject}: its answer makes no sense ({type(error).__name__}: {safe_text(str(error), 200)})",
            "see whether the engine is well (docker info), or use --runtime local",
        ) from error


def explanation(error: Any) -> str:
    """What the engine says of an error (a ``docker.errors.APIError``), as one safe line."""
    text = error.explanation
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    return safe_text(str(text or error)).removeprefix("Error response from daemon: ")


def _explain(error: BaseException) -> tuple[str, str]:
    """Reason and remedy, by the deepest cause that tells something."""
    causes = list(_walk_causes(error))
    text = safe_text(str(error), 300)
    for cause in causes:
        if isinstance(cause, FileNotFoundError):
            return "there is no such socket: no engine is running", _START_HINT
        if isinstance(cause, PermissionError):
            return "permission denied", _PERMISSION_HINT
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused: no engine is listening", _START_HINT
        if isinstance(cause, TimeoutError) or "timed out" in str(cause).lower():
            return "it gives no answer", "see whether the engine is well (docker info), or use --runtime local"
    if "paramiko" in text:
        return "an ssh:// engine needs the package paramiko", "pip install paramiko"
    return text or type(error).__name__, "check DOCKER_HOST and DOCKER_CONTEXT, or use --runtime local"


def _walk_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, and the errors that it carries as arguments, as urllib3's do."""
    seen: set[int] = set()
    left = [error]
    while left:
        current = left.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        left += [current.__cause__, current.__context__]
        left += [argument for argument in current.args if isinstance(argument, BaseException)]
