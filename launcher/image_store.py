"""Our images on an engine: which there are, which are stale, removing them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from launcher.engine import Engine, translated

_NAMESPACE = "io.github.quantization"
INPUTS_LABEL = f"{_NAMESPACE}.inputs"
"""On finished images: hash of what went in, without the id of the base."""
VARIANT_LABEL = f"{_NAMESPACE}.variant"
STAGE_LABEL = f"{_NAMESPACE}.stage"
"""On the untagged results of earlier stages, which the classic builder keeps as its cache."""


@dataclass(frozen=True)
class OurImage:
    """A finished image of ours.

    Attributes:
        id: its id on the engine.
        tags: all its tags.
        variant: TensorFlow variant.
        size: bytes, its base included.
        current: a launcher would use it now.
    """

    id: str
    tags: tuple[str, ...]
    variant: str
    size: int
    current: bool


def image_id(engine: Engine, reference: str) -> str | None:
    """The id of an image, None where the engine does not have it."""
    import docker.errors

    with translated("looking for", reference):
        try:
            return str(engine.client.inspect_image(reference)["Id"])
        except docker.errors.ImageNotFound:
            return None


def finished_images(engine: Engine, current: Collection[str]) -> list[OurImage]:
    """The finished images of ours, newest first; ``current`` are the tags that a launcher would use."""
    with translated("listing the images of", "the engine"):
        found = engine.client.images(filters={"label": INPUTS_LABEL})
        return [
            OurImage(
                id=str(image["Id"]),
                tags=tuple(tag for tag in image.get("RepoTags") or () if tag != "<none>:<none>"),
                variant=str((image.get("Labels") or {}).get(VARIANT_LABEL, "")),
                size=int(image["Size"]),
                current=not set(current).isdisjoint(image.get("RepoTags") or ()),
            )
            for image in sorted(found, key=_created, reverse=True)
        ]


def remove_finished(engine: Engine, images: Iterable[OurImage]) -> list[str]:
    """Remove images; returns tags, and ids of those without. Images in use by a container stay."""
    return [name for image in images for name in image.tags or (image.id,) if _remove(engine, name)]


def remove_stages(engine: Engine) -> list[str]:
    """Remove all cached stages, which are big and can hold the site's pip.conf; returns their ids."""
    stages = [str(stage["Id"]) for stage in _stages(engine)]
    return [stage for stage in stages if _remove(engine, stage)]


def remove_stale_stages(engine: Engine) -> list[str]:
    """Remove the cached stages of earlier builds, all but the newest of each variant; returns their ids.

    Without this, every change of the code leaves another untagged image on the engine.
    """
    seen: set[str] = set()
    stale = []
    for image in sorted(_stages(engine), key=_created, reverse=True):
        variant = str((image.get("Labels") or {}).get(VARIANT_LABEL, ""))
        if variant in seen:
            stale.append(str(image["Id"]))
        seen.add(variant)
    return [stage for stage in stale if _remove(engine, stage)]


def _stages(engine: Engine) -> list[dict[str, Any]]:
    with translated("listing the images of", "the engine"):
        return list(engine.client.images(filters={"dangling": True, "label": STAGE_LABEL}))


def _created(image: dict[str, Any]) -> int:
    return int(image.get("Created", 0))


def _remove(engine: Engine, name: str) -> bool:
    """Remove one image, which also removes untagged parents that nothing else needs; False where it is in use."""
    import docker.errors

    with translated("removing", name):
        try:
            engine.client.remove_image(name)
        except docker.errors.NotFound:
            return False
        except docker.errors.APIError as error:
            if error.status_code == 409:
                return False
            raise
    return True
