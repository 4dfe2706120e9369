"""Reads NAME.manifest.json, and says what is not as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from launch_quantization.contract.manifest import FILE, PLACE, RUN
from launch_quantization.contract.outputs import MANIFEST, MANIFEST_SCHEMA
from launch_quantization.contract.shapes import ListOf, Nullable, Object
from launch_quantization.errors import BadInputError
from launch_quantization.output.digests import digest_of
from launch_quantization.stream.events import clean

_ROOM = 1 << 30
_AGAIN = "make it anew: run launch_quantization again"


def read_manifest(text: str) -> tuple[Path, dict[str, Any]]:
    """The path of a manifest, and what is in it: ``files``, and ``run``, None in those of before.

    Raises:
        BadInputError: it is not there, or no manifest.
    """
    path = Path(text).absolute()
    try:
        if path.stat().st_size > _ROOM:
            raise BadInputError(f"{path} is too large for a manifest", f"name a file NAME{MANIFEST}")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", f"name a file NAME{MANIFEST}") from error
    except (ValueError, RecursionError):
        raise BadInputError(f"{path} is no manifest: it is no JSON", f"name a file NAME{MANIFEST}") from None
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != MANIFEST_SCHEMA:
        raise BadInputError(f"{path} is no manifest of schema {MANIFEST_SCHEMA}", f"name a file NAME{MANIFEST}")
    wrong = next(_misfits(Object({"files": ListOf(FILE, 1000), "run": Nullable(RUN)}), value, ""), None)
    if wrong is not None:
        raise BadInputError(f"{path} is no manifest: {wrong}", _AGAIN)
    elsewhere = [
        file["name"] for file in value["files"] if file["name"].startswith("/") or ".." in file["name"].split("/")
    ]
    if elsewhere:
        raise BadInputError(f"{path} names a file elsewhere: {elsewhere[0]!r:.200}", _AGAIN)
    run = value.get("run")
    if run is not None:
        run["place"] = {key: run["place"].get(key) for key in PLACE.fields}
    return path, {"files": value["files"], "run": run}


def compare_files(path: Path, files: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name and what is wrong, or empty, for each file beside a manifest."""
    for file in files:
        place = path.parent / file["name"]
        if not place.is_file():
            yield file["name"], "missing"
        elif place.stat().st_size != file["size"]:
            yield file["name"], f"{place.stat().st_size} bytes instead of {file['size']}"
        else:
            yield file["name"], "" if digest_of(place).sha256 == file["sha256"] else "changed"


def compare_input(before: Mapping[str, Any], path: Path) -> list[str]:
    """What of an input is not as a manifest says: nothing, or a line for each file.

    Args:
        before: an entry of the manifest's ``inputs``.
        path: where it is now.
    """
    option = f"--{before['option']}"
    if not path.exists():
        return [f"{option}: {path} is missing"]
    now = digest_of(path)
    if now.sha256 == before["sha256"]:
        return []
    if now.files is None or before["files"] is None:
        return [f"{option}: {path} changed"]
    listed = {file["name"]: file["sha256"] for file in before["files"]}
    lines = []
    for name in sorted({*listed, *now.files}):
        if listed.get(name) != now.files.get(name):
            what = "is new" if name not in listed else "is missing" if name not in now.files else "changed"
            lines.append(f"{option}: {path / name} {what}")
    return lines or [f"{option}: {path} changed"]


def _misfits(shape: object, value: Any, where: str) -> Iterator[str]:
    """Where a value is not of a shape."""
    if isinstance(shape, Nullable):
        if value is not None:
            yield from _misfits(shape.of, value, where)
    elif isinstance(shape, Object):
        if not isinstance(value, dict):
            yield f"{where or 'it'} is no object"
        else:
            for key, inner in shape.fields.items():
                yield from _misfits(inner, value.get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(shape, ListOf):
        if not isinstance(value, list):
            yield f"{where} is no list"
        else:
            for number, item in enumerate(value):
                yield from _misfits(shape.of, item, f"{where}[{number}]")
    else:
        try:
            clean(shape, value)
        except ValueError:
            yield f"{where} is {value!r:.60}"
