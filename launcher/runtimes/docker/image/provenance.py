"""Labels that say where an image comes from, in the Open Container Initiative's names."""

from __future__ import annotations

import subprocess
from pathlib import Path

from launch_quantization.building.context import context_root

_PREFIX = "org.opencontainers.image"


def provenance_labels(base: str, base_id: str) -> dict[str, str]:
    """Labels of an image built now.

    No time of creation among them: the engine keeps that, and a label would make two equal builds differ.

    Args:
        base: reference of the base image.
        base_id: id of the base image on the engine.
    """
    labels = {
        f"{_PREFIX}.title": "launch_quantization",
        f"{_PREFIX}.description": "INT8 quantization of TensorFlow graphs with oneDNN",
        f"{_PREFIX}.licenses": "Apache-2.0",
        f"{_PREFIX}.base.name": base,
        "io.github.quantization.base.id": base_id,
    }
    revision = _revision(context_root())
    if revision is not None:
        labels[f"{_PREFIX}.revision"] = revision
    return labels


def _revision(root: Path) -> str | None:
    """The commit of a checkout, with ``-dirty`` where tracked files differ; None outside of one."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
