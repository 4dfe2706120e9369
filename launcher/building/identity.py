"""What makes two environments the same: the lock file, and the package that runs in them."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

from launch_quantization.building.context import context_files, context_root, digest, lock_file

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*==[^\s;\\]+)", re.MULTILINE)


def checkout_identity(variant: str) -> dict[str, Any]:
    """Of this checkout, or installed launcher: JSON-ready.

    Returns:
        ``tensorflow``, the variant; ``lock``, the SHA-256 of its lock file; ``packages``, which it pins;
        ``package``, a hash of what is in the image beside these; ``revision``, the commit, or None.
    """
    lock = lock_file(variant)
    content = lock.read_bytes()
    ours = {name: data for name, data in context_files(variant).items() if name.startswith("quantization/")}
    parts = [part for name in sorted(ours) for part in (name.encode(), ours[name])]
    return {
        "tensorflow": variant,
        "lock": hashlib.sha256(content).hexdigest(),
        "packages": _PIN.findall(content.decode("utf-8")),
        "package": digest(*parts),
        "revision": revision(context_root()),
    }


def revision(root: Path) -> str | None:
    """The commit of a checkout, with ``-dirty`` where tracked files differ; None outside of one."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
