"""What the job left -> what the user gets. The job is not trusted, and so neither is its output.

A GraphDef is a program: it may have left links, fifos, devices, endless files or a lying manifest.
Only the files that a job is known to make are looked at; each must be a regular file of the caller
with one link, of a sane size, with the manifest's hash; a graph must be one, and the INT8 graph the
one that the report speaks of. Then all are moved into place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch_quantization.contract import outputs
from launch_quantization.contract.words import PB, SAVED_MODEL
from launch_quantization.errors import OutputRefusedError
from launch_quantization.output import graph_message
from launch_quantization.output.collected_folder import check_folder, open_folder
from launch_quantization.output.placement import place
from launch_quantization.output.staging import refusing
from launch_quantization.stream.sanitize import safe_text

MANIFEST_LIMIT = 1 << 20
"""Bytes of a manifest; 1000 intermediate graphs fit."""
FILE_LIMIT = 2 << 30
"""Bytes of a single output: what protobuf allows for a graph."""
FILES_LIMIT = 1000
REPORT_LIMIT = 64 << 20
"""Bytes of NAME.report.json, which is read."""

_REMEDY = "nothing was changed; run again with --verbose, and do not trust this graph"
_CHUNK = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True)
class _Entry:
    """One line of the manifest: a name relative to the output directory, bytes, SHA-256 in hex."""

    name: str
    size: int
    sha256: str


def collect(
    source: Path, out_graph: Path, form: str = PB, record: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> tuple[Path, ...]:
    """Check everything below ``source`` and move it beside ``out_graph``.

    Args:
        source: the directory that was /workspace/output, on the file system of ``out_graph``.
        out_graph: final path of the INT8 graph, or of its SavedModel.
        form: which of the two.
        record: makes of the report what the manifest says of the run; None: nothing.

    Returns:
        What is in place now, files but for the folder of a SavedModel, the graph first.

    Raises:
        OutputRefusedError: something is wrong with the output; nothing was changed.
        Interrupted: a signal came; ``in_place`` says whether before or after the move.
    """
    stem = outputs.stem_of(out_graph.name)
    directory = _open(source.name, None, _DIRECTORY, source.parent)
    try:
        entries = _read_manifest(directory, stem, form)
        mask = _read_umask()
        for entry in entries:
            _check(directory, entry, mask)
        report = _check_report(directory, stem, form, entries)
        manifest = stem + outputs.MANIFEST
        if record is not None:
            _write_manifest(directory, manifest, entries, record(report))
        _check_mode(directory, manifest, mask, MANIFEST_LIMIT if record is None else FILE_LIMIT)
        graph = _collect_graph(directory, stem, form, entries, mask)
        others = sorted(entry.name for entry in entries if not _is_part(entry.name, graph))
        names = [*others, manifest, graph]
        place(source, out_graph.parent, names)
    finally:
        os.close(directory)
    return tuple(out_graph.parent / name for name in reversed(names))


def _collect_graph(directory: int, stem: str, form: str, entries: Sequence[_Entry], mask: int) -> str:
    """The name of what is the graph: a file, or a folder, in which there is nothing but what the manifest lists."""
    if form != SAVED_MODEL:
        return stem + outputs.GRAPH
    parts = [entry.name for entry in entries if _is_part(entry.name, stem)]
    check_folder(directory, stem, parts, 0o777 & ~mask, _refuse)
    return stem


def _is_part(name: str, graph: str) -> bool:
    return name == graph or name.startswith(graph + "/")


def _refuse(what: str) -> OutputRefusedError:
    return OutputRefusedError(f"the job's output is refused: {what}", _REMEDY)


def _open(name: str, directory: int | None, flags: int, parent: Path | None = None) -> int:
    """Open without following a link in the last part; every part before it is ours or was checked."""
    path = name if parent is None else parent / name
    try:
        return os.open(path, flags, dir_fd=directory)
    except FileNotFoundError:
        raise _refuse(f"{safe_text(name, 300)} is missing") from None
    except OSError as error:  # ELOOP for a link, ENXIO for a socket, EACCES for mode 0
        raise _refuse(f"{safe_text(name, 300)} cannot be opened: {error.strerror}") from error


def _open_regular(directory: int, name: str, limit: int) -> int:
    """A descriptor of a regular file of ours with one link and at most ``limit`` bytes."""
    folder, _, leaf = name.rpartition("/")
    try:
        parent = open_folder(folder, directory)
    except OSError as error:
        raise _refuse(f"{safe_text(folder, 300)} cannot be opened: {error.strerror}") from error
    try:
        descriptor = _open(leaf, parent, _FILE)
    finally:
        os.close(parent)
    found = os.fstat(descriptor)
    complaint = _complain(found, limit)
    if complaint:
        os.close(descriptor)
        raise _refuse(f"{safe_text(name, 300)} {complaint}")
    return descriptor


def _complain(found: os.stat_result, limit: int) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_nlink != 1:
        return f"has {found.st_nlink} hard links"
    if found.st_uid != os.getuid():
        return f"belongs to uid {found.st_uid} instead of {os.getuid()}"
    if found.st_size > limit:
        return f"has {found.st_size} bytes, more than {limit}"
    return ""


def _read_manifest(directory: int, stem: str, form: str) -> Sequence[_Entry]:
    name = stem + outputs.MANIFEST
    descriptor = _open_regular(directory, name, MANIFEST_LIMIT)
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(MANIFEST_LIMIT + 1)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _refuse(f"{name} is no JSON") from None
    schema = outputs.MANIFEST_SCHEMA
    if not isinstance(value, dict) or value.get("schema") != schema or not isinstance(value.get("files"), list):
        raise _refuse(f"{name} is no manifest of schema {schema}")
    if len(value["files"]) > FILES_LIMIT:
        raise _refuse(f"{name} lists more than {FILES_LIMIT} files")
    expected = outputs.listed_names(stem)
    entries = [_read_entry(item, expected, name) for item in value["files"]]
    names = {entry.name for entry in entries}
    if len(names) != len(entries):
        raise _refuse(f"{name} lists a file twice")
    other = outputs.GRAPH if form == SAVED_MODEL else outputs.SAVED_MODEL
    if any(name.startswith(stem + other) for name in names):
        raise _refuse(f"{name} lists a graph of the form that was not asked for")
    for needed in (stem + outputs.graph_suffix(form), stem + outputs.REPORT_JSON):
        if needed not in names:
            raise _refuse(f"{name} does not list {needed}")
    return entries


def _read_entry(item: object, expected: re.Pattern[str], manifest: str) -> _Entry:
    if not isinstance(item, dict):
        raise _refuse(f"{manifest} has an entry that is no object")
    name, size, digest = item.get("name"), item.get("size"), item.get("sha256")
    if not isinstance(name, str) or not expected.fullmatch(name):
        raise _refuse(f"{manifest} lists {safe_text(str(name), 300)!r}, which no job makes")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= FILE_LIMIT:
        raise _refuse(f"{manifest} gives {name} an impossible size")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise _refuse(f"{manifest} gives {name} no SHA-256")
    return _Entry(name, size, digest)


def _check(directory: int, entry: _Entry, mask: int) -> None:
    """Size and hash as promised; then durable, and with the mode of a file the user made."""
    descriptor = _open_regular(directory, entry.name, FILE_LIMIT)
    try:
        if os.fstat(descriptor).st_size != entry.size:
            raise _refuse(f"{entry.name} has {os.fstat(descriptor).st_size} bytes instead of {entry.size}")
        if _hash_file(descriptor) != entry.sha256:
            raise _refuse(f"{entry.name} does not have the hash that its manifest gives")
        wrong = _complaint_of_graph(descriptor, entry.name)
        if wrong:
            raise _refuse(f"{safe_text(entry.name, 300)} {wrong}")
        os.fchmod(descriptor, 0o666 & ~mask)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _complaint_of_graph(descriptor: int, name: str) -> str:
    if name.endswith(outputs.SAVED_MODEL_FILE):
        wrong = graph_message.complaint_of_saved_model(descriptor)
        return wrong and f"is no SavedModel: {wrong}"
    if not name.endswith(outputs.GRAPH) or "/assets" in name:
        return ""
    wrong = graph_message.complaint(descriptor)
    return wrong and f"is no GraphDef: {wrong}"


def _check_report(directory: int, stem: str, form: str, entries: Sequence[_Entry]) -> dict[str, Any]:
    """The report, which has to speak of this graph."""
    name = stem + outputs.REPORT_JSON
    with os.fdopen(_open_regular(directory, name, REPORT_LIMIT), "rb") as file:
        text = file.read(REPORT_LIMIT + 1)
    try:
        report = json.loads(text)
        spoken_of = report["provenance"]["sha256"]["int8"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise _refuse(f"{name} does not say which graph it is about") from None
    graph = stem + outputs.graph_suffix(form)
    if spoken_of not in [entry.sha256 for entry in entries if entry.name == graph]:
        raise _refuse(f"{name} is about another graph than {graph}")
    return dict(report)


def _write_manifest(directory: int, name: str, entries: Sequence[_Entry], run: dict[str, Any]) -> None:
    """The manifest that is kept: the files that were checked, and what the launcher knows of the run."""
    text = json.dumps(
        {"schema": outputs.MANIFEST_SCHEMA, "files": [vars(entry) for entry in entries], "run": run}, indent=1
    )
    with refusing(f"cannot write {name}"):
        os.unlink(name, dir_fd=directory)
        descriptor = os.open(name, _NEW, 0o600, dir_fd=directory)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")


def _check_mode(directory: int, name: str, mask: int, limit: int) -> None:
    descriptor = _open_regular(directory, name, limit)
    try:
        os.fchmod(descriptor, 0o666 & ~mask)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash_file(descriptor: int) -> str:
    digest = hashlib.sha256()
    while chunk := os.read(descriptor, _CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _read_umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
