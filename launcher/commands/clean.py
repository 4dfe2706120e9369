"""``launch_quantization clean``: removes what launchers that are gone left, and on request what was built."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from launch_quantization.commands.quantize import remove_leftovers
from launch_quantization.contract.options import CleanOptions
from launch_quantization.errors import BuildError, EngineTooOldError, EngineUnreachableError
from launch_quantization.output.runs import dead_runs
from launch_quantization.runtimes.docker.image import build as image
from launch_quantization.runtimes.local import environment
from launch_quantization.stream.sanitize import safe_path, safe_text
from launch_quantization.view.progress import write_line


def clean(options: CleanOptions) -> int:
    """Remove, and say what; what live launchers use stays.

    Returns:
        0, also when there was nothing to do or no engine to ask.
    """
    count = 0
    for line in _each(options):
        write_line(sys.stdout, f"{'would remove' if options.dry_run else 'removed'} {safe_path(line)}")
        count += 1
    if not count:
        write_line(sys.stdout, "nothing to remove")
    return 0


def _each(options: CleanOptions) -> Iterator[str]:
    if options.dry_run:
        yield from (str(run.staging) for run in dead_runs())
    else:
        yield from remove_leftovers()
    yield from _on_the_engine(options)
    if options.environments or options.all:
        yield from remove_environments(keep_current=not options.all, dry_run=options.dry_run)


def _on_the_engine(options: CleanOptions) -> Iterator[str]:
    from launch_quantization.runtimes.docker.engine import connect
    from launch_quantization.runtimes.docker.runtime import our_containers, reap

    try:
        engine = connect()
    except (EngineUnreachableError, EngineTooOldError) as error:
        write_line(sys.stderr, f"containers and images are not looked at: {error.message}")
        return
    if options.dry_run:
        yield from (
            f"container {one.name}" for one in our_containers(engine) if not one.alive and one.owner == os.getuid()
        )
    else:
        yield from (f"container {name}" for name in reap(engine, _warn))
    if options.images or options.all:
        busy = image.builds_running(engine)
        for variant in sorted(busy):
            _warn(f"an image of TensorFlow {variant} is being built; what is of that variant stays")
        names = image.remove_images(engine, keep_current=not options.all, dry_run=options.dry_run, busy=busy)
        yield from (f"image {name}" for name in names)
    engine.close()


def _warn(message: str) -> None:
    write_line(sys.stderr, safe_text(f"warning: {message}"))


def remove_environments(*, keep_current: bool, dry_run: bool) -> Iterator[str]:
    """Remove local environments that no launcher is making.

    Args:
        keep_current: keep those that this launcher would use.
        dry_run: only yield their paths.
    """
    root = environment.environments_root()
    if not root.is_dir():
        return
    current = _current() if keep_current else frozenset()
    for path in sorted(root.iterdir()):
        if path.is_dir() and path not in current and _remove_environment(path, dry_run=dry_run):
            yield str(path)


def _current() -> frozenset[Path]:
    found = set()
    for variant in image.variants():
        try:
            found.add(environment.find_environment(image.lock_file(variant)).path)
        except BuildError:
            continue  # no Python here serves it, so no environment of it is in use
    return frozenset(found)


def _remove_environment(path: Path, *, dry_run: bool) -> bool:
    """False while a launcher is making it."""
    lock = Path(f"{path}.lock")
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        if not dry_run:
            environment.remove_environment(path)
        return True
    finally:
        os.close(held)
