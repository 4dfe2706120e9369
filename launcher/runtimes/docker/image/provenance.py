"""Labels that say where an image comes from, in the Open Container Initiative's names."""

from __future__ import annotations

from launch_quantization.building.context import context_root
from launch_quantization.building.identity import revision

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
    commit = revision(context_root())
    if commit is not None:
        labels[f"{_PREFIX}.revision"] = commit
    return labels
