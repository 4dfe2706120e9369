"""Our images on an engine: which there are, which are stale, removing them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from launch_quantization.runtimes.docker.engine import Engine, translated

REPOSITORY = "quantization"
LATEST = f"{REPOSITORY}:latest"
"""The seed's name of the image; follows the default variant's newest build."""

_NAMESPACE = "io.github.quantization"
INPUTS_LABEL = f"{_NAMESPACE}.inputs"
"""On finished images: hash of what went in, without the id of the base."""
VARIANT_LABEL = f"{_NAMESPACE}.variant"
STAGE_LABEL = f"{_NAMESPACE}.stage"
"""On what the classic builder keeps of a build that is going on or was broken off, and of its earlier stages as
its cache: which stage of the Dockerfile. Empty on finished images, so that what is built on those has it empty, too."""
_CACHE = ("environment", "package")
_UNFINISHED = "image"


@dataclass(frozen=True)
class OurImage:
    """A finished image of ours.

    Attributes:
        id: its id on the engine.
        variant: of TensorFlow.
        tags: those of its tags that are ours.
        current: a launcher would use it now.
    """

    id: str
    variant: str
    tags: tuple[str, ...]
    current: bool


def image_id(engine: Engine, reference: str) -> str | None:
    """The id of an image, None where the engine does not have it."""
    import docker.errors

    with translated("looking for", reference):
        try:
            return str(engine.client.inspect_image(reference)["Id"])
        except docker.errors.NotFound:  # engines word it differently
            return None


def image_content(engine: Engine, reference: str) -> str:
    """A hash of what is in an image, the same on every engine that has it: its layers, and what runs begin with.

    An image's id is that of its configuration in one kind of store, and that of its manifest in the other
    (containerd's), which also depends on how the layers were compressed on their way.

    Args:
        engine: which has it.
        reference: of the image.
    """
    with translated("looking into", reference):
        found = engine.client.inspect_image(reference)
        layers = (found.get("RootFS") or {}).get("Layers")
        if not layers:
            return str(found["Id"])
        settings = found.get("Config") or {}
        content = [layers, settings.get("Env") or [], settings.get("Entrypoint") or []]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def tag_of(variant: str, key: str) -> str:
    """The tag of a finished image; ``key`` is the hash of what went in."""
    return f"{REPOSITORY}:{variant}-{key[:12]}"


def own_tags(image: dict[str, Any]) -> tuple[str, ...]:
    """The tags of an image that a build of ours gave it.

    An image that a user built on ours has all our labels, and may be in our repository; it has no tag
    that ends in a hash.
    """
    ours = re.compile(rf"{REPOSITORY}:{re.escape(_read_variant(image))}-[0-9a-f]{{12}}")
    tags = image.get("RepoTags") or ()
    hashed = [tag for tag in tags if ours.fullmatch(tag)]
    return (*hashed, *(tag for tag in tags if tag == LATEST)) if hashed else ()


def finished_images(engine: Engine, current: Collection[str]) -> list[OurImage]:
    """The finished images of ours, newest first; ``current`` are the tags that a launcher would use."""
    with translated("listing the images of", "the engine"):
        found = engine.client.images(filters={"label": INPUTS_LABEL})
        return [
            OurImage(
                str(image["Id"]), _read_variant(image), own_tags(image), not set(current).isdisjoint(own_tags(image))
            )
            for image in sorted(found, key=_read_created, reverse=True)
            if own_tags(image)
        ]


def leftovers(engine: Engine, busy: Collection[str] = ()) -> list[str]:
    """The ids of all untagged images of ours: cached stages, which are big, and what broken-off builds left.

    Args:
        engine: where.
        busy: variants that are being built; theirs stay, and while there are any, so does what says no variant yet.
    """
    found = [*_list_stages(engine), *_list_untagged(engine)]
    spared = {*busy, ""} if busy else set()
    return [str(image["Id"]) for image in found if _read_variant(image) not in spared]


def remove(engine: Engine, names: Iterable[str]) -> list[str]:
    """Remove images by tag or id; returns those that went. What a container uses, or another tag names, stays."""
    return [name for name in names if _remove(engine, name)]


def remove_replaced(engine: Engine, image: str) -> None:
    """Remove an image whose tag a later build took over, unless it has got another name meanwhile."""
    with translated("looking for", image):
        named = {
            str(found["Id"])
            for found in engine.client.images()
            if found.get("RepoTags") not in (None, ["<none>:<none>"])
        }
    if image not in named:
        _remove(engine, image)


def remove_stale_stages(engine: Engine, variant: str) -> list[str]:
    """Remove what earlier builds of a variant left, all but the newest cached stages; returns their ids.

    Without this, every change of the code leaves another untagged image on the engine. Of other variants nothing
    is touched: a build of theirs may be going on.
    """
    found = [image for image in _list_stages(engine) if _read_variant(image) == variant]
    cached = sorted((image for image in found if _stage(image) in _CACHE), key=_read_created, reverse=True)
    broken_off = [image for image in found if _stage(image) == _UNFINISHED]
    return remove(engine, [str(image["Id"]) for image in (*cached[1:], *broken_off)])


def _list_stages(engine: Engine) -> list[dict[str, Any]]:
    with translated("listing the images of", "the engine"):
        found = engine.client.images(filters={"dangling": True, "label": STAGE_LABEL})
        return [image for image in found if _stage(image) in (*_CACHE, _UNFINISHED)]


def _list_untagged(engine: Engine) -> list[dict[str, Any]]:
    """Finished images that lost their tag. What a user built on one has its labels, but not as its last step."""
    with translated("listing the images of", "the engine"):
        found = engine.client.images(filters={"dangling": True, "label": INPUTS_LABEL})
        return [image for image in found if INPUTS_LABEL in _last_step(engine, image)]


def _last_step(engine: Engine, image: dict[str, Any]) -> str:
    import docker.errors

    try:
        steps = engine.client.history(image["Id"])
    except docker.errors.NotFound:
        return ""
    return str(steps[0]["CreatedBy"]) if steps else ""


def _read_variant(image: dict[str, Any]) -> str:
    return str((image.get("Labels") or {}).get(VARIANT_LABEL, ""))


def _stage(image: dict[str, Any]) -> str:
    return str((image.get("Labels") or {}).get(STAGE_LABEL, ""))


def _read_created(image: dict[str, Any]) -> int:
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
