"""Finds a Python that a TensorFlow variant runs on, and says of every other one why not."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHON_VARIABLE = "QUANTIZATION_PYTHON"
"""Names the Python to make local environments with; nothing else is tried then."""

_PROBE = """
import json, sys, sysconfig
def has(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
print(json.dumps({"version": list(sys.version_info[:3]), "implementation": sys.implementation.name,
    "bits": sys.maxsize.bit_length() + 1, "platform": sysconfig.get_platform(),
    "venv": has("venv") and has("ensurepip"), "ssl": has("ssl"), "prefix": sys.base_prefix}))
"""
_PROBE_SECONDS = 20


@dataclass(frozen=True)
class Python:
    """A Python that was found.

    Attributes:
        path: the executable.
        version: three numbers, e.g. (3, 11, 7).
        problem: why it does not serve; empty when it does.
    """

    path: Path
    version: tuple[int, int, int]
    problem: str = ""

    @property
    def minor(self) -> str:
        """Major and minor version: ``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def full(self) -> str:
        """All three numbers: ``3.11.7``."""
        return ".".join(str(number) for number in self.version)


def find_python(wanted: Sequence[str]) -> tuple[Python | None, list[Python]]:
    """Look for a Python of one of the wanted versions.

    Args:
        wanted: minor versions, best first, e.g. ``("3.11", "3.10")``.

    Returns:
        The best that serves, or None; and all that were looked at and do not serve.
    """
    rejected: list[Python] = []
    seen: set[Path] = set()
    for path in _list_candidates(wanted):
        real = Path(os.path.realpath(path))
        if real in seen:
            continue
        seen.add(real)
        python = probe(path, wanted)
        if python is None:
            continue
        if not python.problem:
            return python, rejected
        rejected.append(python)
    return None, rejected


def _list_candidates(wanted: Sequence[str]) -> Iterator[Path]:
    """Executables worth a look, the best version first; within a version the nearest first."""
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        yield Path(shutil.which(named) or named)
        return
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for minor in wanted:
        if minor == own:
            yield Path(sys.executable)
        for directory in os.get_exec_path():
            candidate = Path(directory) / f"python{minor}"
            if os.access(candidate, os.X_OK):
                yield candidate
        yield from _list_managed(minor)
    if own not in wanted:
        yield Path(sys.executable)  # only to say why not


def _list_managed(minor: str) -> Iterator[Path]:
    """Pythons that pyenv and uv keep, newest patch first."""
    home = Path(os.path.expanduser("~"))
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python"))
    # glob.glob passes over what it may not look at, where Path.glob fails.
    found = [*glob.glob(f"{pyenv}/{minor}.*"), *glob.glob(f"{uv}/cpython-{minor}.*")]
    for version in sorted(found, key=_patch, reverse=True):
        candidate = Path(version) / "bin" / f"python{minor}"
        if os.access(candidate, os.X_OK):
            yield candidate


def _patch(version: str) -> int:
    match = re.search(r"\d+\.\d+\.(\d+)", os.path.basename(version))
    return int(match[1]) if match else -1


def probe(path: Path, wanted: Sequence[str]) -> Python | None:
    """Ask a Python what it is; None where it does not even start (a pyenv shim without a version)."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [path, "-I", "-c", _PROBE],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=True,
        )
        facts = json.loads(done.stdout)
        version = tuple(facts["version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return Python(path, (version[0], version[1], version[2]), _find_problem(facts, wanted))


def _find_problem(facts: dict[str, object], wanted: Sequence[str]) -> str:
    version = facts["version"]
    minor = ".".join(str(part) for part in version[:2]) if isinstance(version, list) else "?"
    if minor not in wanted:
        return f"is Python {minor}"
    if facts["implementation"] != "cpython":
        return f"is {facts['implementation']}, not CPython"
    if facts["bits"] != 64:
        return "is a 32-bit build"
    if facts["platform"] != "linux-x86_64":
        return f"is built for {facts['platform']}"
    if not facts["ssl"]:
        return "lacks the ssl module"
    if not facts["venv"]:
        return f"lacks venv or ensurepip (Debian and Ubuntu: apt install python{minor}-venv)"
    return ""
