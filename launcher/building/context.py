"""The build context of the image: which files go in, as a tar that is the same on every machine."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from launch_quantization.contract.nearest import did_you_mean
from launch_quantization.errors import BuildError, UsageError

DOCKERFILE = "image/Dockerfile"

_FIXED_FILES = (DOCKERFILE, "image/site_files.py", "image/trim_environment.py")
_LOCK = "image/requirements/tensorflow-{variant}.txt"
_PACKAGE = "quantization"
_LEFT_OUT_DIRECTORIES = frozenset(("__pycache__", "build", "dist"))


def context_root() -> Path:
    """The directory that holds image/ and quantization/: the checkout, or the data of an installed launcher.

    Raises:
        BuildError: there is neither.
    """
    here = Path(__file__).resolve().parents[1]
    for root in (here / "_context", here.parent):
        if (root / DOCKERFILE).is_file() and (root / _PACKAGE).is_dir():
            return root
    raise BuildError(
        f"{here}: neither a checkout nor an installed launcher with its build context",
        "install the launcher from its wheel, or run it from a checkout",
    )


def variants() -> tuple[str, ...]:
    """The TensorFlow variants there are, by their lock files."""
    prefix, suffix = _LOCK.split("{variant}")
    folder = context_root() / Path(_LOCK).parent
    names = (path.relative_to(context_root()).as_posix() for path in folder.glob("*.txt"))
    found = (name.removeprefix(prefix).removesuffix(suffix) for name in names if name.startswith(prefix))
    return tuple(sorted(found))


def lock_file(variant: str) -> Path:
    """The requirements, with hashes, of a TensorFlow variant.

    Raises:
        UsageError: there is no such variant.
    """
    known = variants()
    if variant not in known:
        guess = did_you_mean(variant, known) if len(known) > 1 else ""
        there = f"there is only {known[0]}" if len(known) == 1 else f"there are {', '.join(known)}"
        raise UsageError(f"--tensorflow {variant}: no such variant", f"{guess} {there}".lstrip())
    return context_root() / _LOCK.format(variant=variant)


def supported_pythons(lock: Path) -> tuple[str, ...]:
    """Minor versions a lock file serves, best first; an image has the first.

    They are in the line ``# python: 3.11 3.10`` of the file the lock is made from, beside it.

    Raises:
        BuildError: there is no such line.
    """
    return tuple(_read_comment(lock, "python", "python: 3.11 3.10").split())


def registry_base(lock: Path) -> str:
    """The base image that a lock file's image is built on where a registry can be reached.

    It is in the line ``# base: python:3.11.13-slim-bookworm`` of the file the lock is made from.

    Raises:
        BuildError: there is no such line.
    """
    return _read_comment(lock, "base", "base: python:3.11.13-slim-bookworm")


def local_base(lock: Path) -> str:
    """What image/base/make_base.sh calls the base image with the Python that a lock file's image has.

    Raises:
        BuildError: the lock file's source does not say which Pythons it serves.
    """
    return f"quantization-base:py{supported_pythons(lock)[0]}"


def _read_comment(lock: Path, key: str, example: str) -> str:
    source = lock.with_suffix(".in")
    text = source.read_text("utf-8") if source.is_file() else ""
    match = re.search(rf"^#\s*{key}:\s*(\S.*)$", text, re.MULTILINE)
    if match is None:
        raise BuildError(f"{source} does not say its {key}", f"add a line such as '# {example}'")
    return match[1].strip()


def context_files(variant: str) -> dict[str, bytes]:
    """The files that make the image, by their POSIX path in the context.

    Raises:
        UsageError: there is no such variant.
        BuildError: a file is missing, unreadable or a link.
    """
    root = context_root()
    paths = [root / name for name in _FIXED_FILES]
    paths += [lock_file(variant), *_package_files(root / _PACKAGE)]
    return {path.relative_to(root).as_posix(): _read_content(path) for path in paths}


def _package_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix in (".pyc", ".egg-info") or path.name in _LEFT_OUT_DIRECTORIES:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _package_files(path)
        else:
            yield path


def _read_content(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise BuildError(f"{path}: not a regular file; the build context takes no symlinks", "restore the checkout")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}", "restore the checkout") from error


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar of the files and their directories: sorted, owned by root, times and modes fixed."""
    directories = {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(directories | files.keys()):
            entry = tarfile.TarInfo(name)
            if name in directories:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.size, entry.mode = len(files[name]), 0o644
                archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()


def digest(*parts: bytes) -> str:
    """One SHA-256 over byte strings, each told apart from the next."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
