"""Of several launchers that want an image of one variant, one builds it and the others wait.

The lock is a container on the engine, created and never started: its name is unique there, whoever
asks from wherever. Its labels say whose it is, as those of any container of ours, so that a dead
builder's lock is known as such, taken over here, and found by ``clean``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from launch_quantization.errors import LauncherError
from launch_quantization.runtimes.docker.engine import Engine, translated
from launch_quantization.runtimes.docker.reaper import OurContainer, container_name, labels, our_containers, remove
from launch_quantization.signals import shield
from launch_quantization.stream.lines import BuildLog

LONGEST_BUILD_SECONDS = 3 * 3600
"""After so long, a builder on another machine, of which nobody can tell here whether it lives, is taken for dead."""

_PREFIX = "build-"
_PAUSE_SECONDS = 0.5


@contextmanager
def build_lock(engine: Engine, variant: str, image: str, log: BuildLog) -> Iterator[None]:
    """Hold the lock of a variant's builds on an engine while the body runs.

    Args:
        engine: where.
        variant: of TensorFlow.
        image: any image that the engine has.
        log: told who is waited for, and what could not be removed.

    Raises:
        EngineUnreachableError: the engine went away.
        Interrupted: a signal came while waiting.
    """
    name = container_name(_PREFIX + variant)
    taken = _take(engine, variant, image, log)
    try:
        yield
    finally:
        if taken:
            _drop(engine, name, log)


def builds_running(engine: Engine) -> frozenset[str]:
    """The variants that a launcher is building, or may be building, on this engine."""
    return frozenset(
        container.run_id.removeprefix(_PREFIX)
        for container in our_containers(engine)
        if container.run_id.startswith(_PREFIX) and not _is_dead(container)
    )


def _take(engine: Engine, variant: str, image: str, log: BuildLog) -> bool:
    """Take the lock; False where a dead builder's cannot be removed, which must not keep anybody from building."""
    told = False
    while not _create(engine, variant, image):
        name = container_name(_PREFIX + variant)
        holder = next((found for found in our_containers(engine) if found.name == name), None)
        if holder is None:
            pass  # it has just gone
        elif _is_dead(holder):
            # By its id: the name may be that of a live builder's lock by now.
            if not _drop(engine, holder.id, log):
                return False
            log(f"the launcher that was building TensorFlow {variant} is gone; building it here")
        elif not told:
            log(f"another launcher is building the image of TensorFlow {variant}; waiting for it")
            told = True
        time.sleep(_PAUSE_SECONDS)
    return True


def _create(engine: Engine, variant: str, image: str) -> bool:
    """Create the container; False where there is one of its name."""
    import docker.errors

    run_id = _PREFIX + variant
    # A signal between the engine's work and our knowing of it would leave the lock behind.
    with shield(), translated("locking", f"the build of TensorFlow {variant}"):
        try:
            engine.client.create_container(
                image=image,
                command=["true"],
                name=container_name(run_id),
                labels=labels(run_id),
                network_disabled=True,
                use_config_proxy=False,
            )
        except docker.errors.APIError as error:
            if error.status_code == 409 or "already in use" in str(error.explanation):
                return False
            raise
    return True


def _drop(engine: Engine, container: str, log: BuildLog) -> bool:
    try:
        remove(engine, container)
    except LauncherError as error:
        log(f"warning: {error.message}; launch_quantization clean tries again")
        return False
    return True


def _is_dead(holder: OurContainer) -> bool:
    if holder.local:
        return holder.gone
    return time.time() - holder.created > LONGEST_BUILD_SECONDS
