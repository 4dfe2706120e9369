"""A private directory beside the output: where a job's results wait until they are checked.

It lies on the output's own file system, so that moving a result into place is one atomic rename,
and its lock is what keeps two launchers off one output. The lock ends with its holder, however that
ends; a staging directory without a lock is what a killed launcher left.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from launch_quantization.contract.outputs import FOLDER
from launch_quantization.errors import BusyError, LauncherError, OutputRefusedError
from launch_quantization.signals import shield

OUTPUT = FOLDER
"""Name of the directory that becomes /workspace/output."""

_SUFFIX = ".quantizing"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def staging_path(out_graph: Path) -> Path:
    """Where the staging directory of an output lies."""
    return out_graph.with_name(f".{out_graph.name}{_SUFFIX}")


@contextmanager
def staged(out_graph: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    """Hold the staging directory of ``out_graph``; it is empty but for ``output/``, mode 0700.

    Args:
        out_graph: final path of the INT8 graph.
        warn: told if it cannot be removed at the end: neither results nor the cause of a failure are lost by that.

    Raises:
        BusyError: another launcher holds it.
        OutputRefusedError: it cannot be made, or something else has its name.
    """
    path = staging_path(out_graph)
    with shield():
        held = _acquire(path)
    try:
        with refusing(f"cannot make {path / OUTPUT}"):
            os.mkdir(OUTPUT, 0o700, dir_fd=held)
            os.chmod(OUTPUT, 0o700, dir_fd=held)  # whatever the umask
        yield path
    finally:
        with shield():
            try:
                _release(path, held)
            except OutputRefusedError as error:
                warn(f"{error.message}; the next run, or launch_quantization clean, tries again")


def abandoned(path: Path) -> bool:
    """Whether a staging directory is there that nobody holds."""
    try:
        held = os.open(path, _DIRECTORY)
    except OSError:
        return False
    try:
        return _is_locked(held)
    except LauncherError:  # no locks there: nobody can tell
        return False
    finally:
        os.close(held)


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn an OSError, as on a full disk, into an OutputRefusedError that begins with ``what``."""
    try:
        yield
    except OSError as error:
        raise OutputRefusedError(
            f"{what}: {error.strerror}", "make room there, or choose another --out_graph"
        ) from error


def remove_stale(path: Path) -> bool:
    """Remove a staging directory nobody holds.

    Returns:
        True when nothing is there afterwards; False when a launcher holds it or it cannot be removed.
    """
    if not (path.name.startswith(".") and path.name.endswith(_SUFFIX)):
        return False  # no staging directory of ours: a damaged record must not cost a user's files
    try:
        held = os.open(path, _DIRECTORY)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    if os.fstat(held).st_uid != os.getuid() or not _is_locked(held):
        os.close(held)
        return False
    try:
        _release(path, held)
    except OutputRefusedError:
        return False
    return True


def _acquire(path: Path) -> int:
    """The locked descriptor of an empty directory at path."""
    while True:
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            held = os.open(path, _DIRECTORY)
        except OSError as error:
            raise OutputRefusedError(
                f"cannot make the staging directory {path}: {error.strerror}",
                "free the name, or choose another --out_graph",
            ) from error
        try:
            if _locked_in_place(path, held):
                _empty_all(path, held)
                return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)


def _locked_in_place(path: Path, held: int) -> bool:
    """Lock; False when the directory was removed between opening and locking it."""
    found = os.fstat(held)
    if found.st_uid != os.getuid():
        raise OutputRefusedError(
            f"{path} belongs to another user", "choose another --out_graph, or remove it as that user"
        )
    if not _is_locked(held):
        raise BusyError(
            f"another launcher is writing {path.name[1:].removesuffix(_SUFFIX)} in {path.parent}",
            "wait for it, or choose another --out_graph",
        )
    try:
        now = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino)


def _is_locked(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LauncherError(
            f"the output's file system has no locks: {error.strerror}", "choose an --out_graph on a local disk"
        ) from error
    return True


def _release(path: Path, held: int) -> None:
    """Empty and remove the directory while its lock is held."""
    try:
        _empty_all(path, held)
        os.rmdir(path)
    except FileNotFoundError:
        pass  # the user removed it under us: nothing is left, which is what was wanted
    except OSError as error:
        raise OutputRefusedError(f"cannot remove {path}: {error.strerror}", "remove it by hand") from error
    finally:
        os.close(held)


def _empty_all(path: Path, held: int) -> None:
    try:
        os.fchmod(held, 0o700)
        empty(held)
    except OSError as error:
        raise OutputRefusedError(f"cannot empty {path}: {error.strerror}", "remove it by hand") from error


def empty(directory: int) -> None:
    """Remove everything in a directory, whatever a job left there, without following a link.

    Deep trees are flattened: a nested directory is first moved up to the top. So neither the depth
    of the recursion nor the length of a path is in the hands of who made the tree.

    Args:
        directory: descriptor of the directory.
    """
    while names := os.listdir(directory):
        for name in names:
            if not _unlink(name, directory):
                _hoist(name, directory)


def _unlink(name: str, directory: int) -> bool:
    """Remove a file, or an empty directory; False where it is a directory that is not empty."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=directory)
        return True
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError:
        return False
    return True


def _hoist(name: str, directory: int) -> None:
    """Empty a directory by moving its subdirectories up into ``directory``, then remove it."""
    os.chmod(name, 0o700, dir_fd=directory)
    inner = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        for child in os.listdir(inner):
            if not _unlink(child, inner):
                os.chmod(child, 0o700, dir_fd=inner)  # renaming a directory writes into it (its "..")
                os.rename(child, f".{secrets.token_hex(8)}", src_dir_fd=inner, dst_dir_fd=directory)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=directory)
