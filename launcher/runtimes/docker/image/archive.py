"""An image of ours as an OCI archive that is the same bytes for the same files, on the same base.

Engines give other bytes for the same image: times, the order of files, ids of their stores and names of build steps.
Here our layers are written anew, those of the base are taken as they are, and of the configuration only that is kept
which runs depend on. ``docker load`` takes the archive, too, since it has the file that older engines look for.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from launch_quantization.errors import BadInputError, ImageMissingError, OutputRefusedError
from launch_quantization.runtimes.docker.engine import Engine, translated
from launch_quantization.runtimes.docker.image.layer import Hashing, write_layer
from launch_quantization.runtimes.docker.image.store import STAGE_LABEL, image_id

_EPOCH = "1970-01-01T00:00:00Z"
_OURS = f"{STAGE_LABEL}=image"
"""In the history: the first step of ours, behind those of the base."""
_STEP = "launch_quantization"
_SETTINGS = ("User", "Env", "Cmd", "Entrypoint", "WorkingDir", "Labels")
_OF_A_BUILD = ("io.github.quantization.base.id", "org.opencontainers.image.revision", STAGE_LABEL)
"""Labels that say who built it, and not what it is."""
_OCI = "application/vnd.oci.image"
_MOST_JSON = 16 << 20


@dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes:
        image_id: the digest of the configuration, by which engines know the image.
        manifest: the digest of the manifest, by which registries do.
    """

    image_id: str
    manifest: str


def save_image(engine: Engine, image: str, path: Path) -> Saved:
    """Write an image of ours as an OCI archive; the file appears complete or not at all.

    Args:
        engine: which has it.
        image: its tag.
        path: the file; its folder must have room for twice the image meanwhile.

    Raises:
        ImageMissingError: the engine does not have it.
        BadInputError: it is none of ours.
        OutputRefusedError: the file cannot be written.
    """
    if image_id(engine, image) is None:
        raise ImageMissingError(f"the image {image} is not on the engine", "launch_quantization build")
    with _make_room(path) as room:
        with translated("saving", image):
            chunks = engine.client.get_image(image)
            _write(chunks, room / "saved.tar")
        saved = convert(room / "saved.tar", image, room)
        os.replace(room / "image.tar", path)
    return saved


def convert(source: Path, image: str, room: Path) -> Saved:
    """Make ``image.tar`` in a folder of what ``docker save`` gives.

    Args:
        source: that archive.
        image: the tag that the archive gives to the image.
        room: an empty folder but for ``source``.

    Raises:
        BadInputError: it is none of ours.
    """
    blobs = room / "blobs"
    blobs.mkdir()
    with tarfile.open(source) as archive:
        listed = _read_json(archive, "manifest.json")[0]
        config = _read_json(archive, listed["Config"])
        base = _count_base_layers(config, image)
        layers = [_add_layer(archive, name, blobs, ours=number >= base) for number, name in enumerate(listed["Layers"])]
    configuration = _add_blob(
        blobs, _clean_configuration(config, [layer["digest"] for layer in layers], base), "config.v1+json"
    )
    manifest = _add_blob(
        blobs,
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": configuration,
            "layers": layers,
        },
        "manifest.v1+json",
    )
    _pack(room / "image.tar", blobs, image, configuration["digest"], layers, manifest)
    return Saved(configuration["digest"], manifest["digest"])


def _count_base_layers(config: Mapping[str, Any], image: str) -> int:
    """How many of the layers are those of the base."""
    count = 0
    for step in config.get("history") or ():
        if _OURS in str(step.get("created_by")):
            return count
        count += not step.get("empty_layer")
    raise BadInputError(f"the image {image} was not built by this tool", "launch_quantization build makes one")


def _clean_configuration(config: Mapping[str, Any], digests: list[str], base: int) -> dict[str, Any]:
    """The configuration without what differs between builds of the same."""
    settings = config.get("config") or {}
    kept = {key: settings[key] for key in _SETTINGS if settings.get(key)}
    kept["Labels"] = {key: text for key, text in (kept.get("Labels") or {}).items() if key not in _OF_A_BUILD}
    history: list[dict[str, Any]] = []
    for step in config["history"]:
        if _OURS in str(step.get("created_by")):
            break
        history.append(step)
    history += [{"created": _EPOCH, "created_by": _STEP}] * (len(digests) - base)
    return {
        "architecture": config["architecture"],
        "os": config["os"],
        "created": _EPOCH,
        "config": kept,
        "rootfs": {"type": "layers", "diff_ids": digests},
        "history": history,
    }


def _add_layer(archive: tarfile.TarFile, name: str, blobs: Path, *, ours: bool) -> dict[str, Any]:
    """Write one layer among the blobs; returns its descriptor. All are uncompressed: compressors differ."""
    packed = archive.extractfile(name)
    if packed is None:
        raise BadInputError(f"the engine gave an image without its layer {name}", "save it again")
    fresh = blobs / "layer"
    with packed, fresh.open("wb") as target:
        if ours:
            with tarfile.open(fileobj=packed) as layer:
                digest = write_layer(layer, target)
        else:
            output = Hashing(target)
            _unpack(packed, output)
            digest = output.hexdigest()
    fresh.rename(blobs / digest)
    return _describe("layer.v1.tar", digest, (blobs / digest).stat().st_size)


def _unpack(packed: IO[bytes], target: Hashing) -> None:
    """Engines with containerd's store give compressed layers."""
    import gzip

    start = packed.read(2)
    packed.seek(0)
    source: Any = gzip.GzipFile(fileobj=packed) if start == b"\x1f\x8b" else packed
    shutil.copyfileobj(source, target, 1 << 20)


def _add_blob(blobs: Path, value: object, kind: str) -> dict[str, Any]:
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return _describe(kind, digest, len(data))


def _describe(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": size}


def _pack(
    path: Path, blobs: Path, image: str, config: str, layers: list[dict[str, Any]], manifest: Mapping[str, Any]
) -> None:
    """The archive: an OCI layout, and what ``docker load`` of older engines reads."""
    named = {"org.opencontainers.image.ref.name": image.partition(":")[2], "io.containerd.image.name": image}
    index = {"schemaVersion": 2, "manifests": [{**manifest, "annotations": named}]}
    load = [{"Config": _locate(config), "RepoTags": [image], "Layers": [_locate(layer["digest"]) for layer in layers]}]
    texts = {"index.json": index, "manifest.json": load, "oci-layout": {"imageLayoutVersion": "1.0.0"}}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("blobs", "blobs/sha256"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for blob in sorted(blobs.iterdir()):
            with blob.open("rb") as file:
                archive.addfile(_make_entry(f"blobs/sha256/{blob.name}", blob.stat().st_size), file)
        for name, value in sorted(texts.items()):
            data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
            archive.addfile(_make_entry(name, len(data)), io.BytesIO(data))


def _make_entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def _locate(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _read_json(archive: tarfile.TarFile, name: str) -> Any:
    try:
        file = archive.extractfile(name)
        if file is None:
            raise ValueError("it is no file")
        return json.loads(file.read(_MOST_JSON))
    except (KeyError, ValueError) as error:
        raise BadInputError(f"the engine gave an image without {name}: {error}", "save it again") from error


def _write(chunks: Iterable[bytes], path: Path) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)


@contextlib.contextmanager
def _make_room(path: Path) -> Iterator[Path]:
    """A private folder beside a file, gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise OutputRefusedError(
            f"cannot write {path}: {error.strerror}", "make room there, or choose another file"
        ) from error
