"""What a job leaves for the launcher: its manifest and its report, beside files that are as they should be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from intel_quantization.errors import BadInputError
from launch_quantization.contract import outputs
from launch_quantization.errors import OutputRefusedError
from launch_quantization.output.collect import collect
from tests.fuzz import seeds
from tests.fuzz.reader import Reader

_STEM = "net"


def output_readers() -> dict[str, Reader]:
    """By name."""
    files = _files()
    manifest, report = (files[_STEM + suffix] for suffix in (outputs.MANIFEST, outputs.REPORT_JSON))
    return {
        "manifests": Reader(_reads(files, outputs.MANIFEST), (manifest,)),
        "reports": Reader(_reads(files, outputs.REPORT_JSON), (report,)),
    }


def _files() -> dict[str, bytes]:
    graph = seeds.graph("first").SerializeToString(deterministic=True)
    digest = hashlib.sha256(graph).hexdigest()
    report = json.dumps({"schema": 1, "provenance": {"sha256": {"int8": digest, "fp32": digest}}}).encode()
    files = {_STEM + outputs.GRAPH: graph, _STEM + outputs.REPORT_JSON: report}
    return {**files, _STEM + outputs.MANIFEST: _manifest(files)}


def _manifest(files: dict[str, bytes]) -> bytes:
    listed = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
        if not name.endswith(outputs.MANIFEST)
    ]
    return json.dumps({"schema": outputs.MANIFEST_SCHEMA, "files": listed}).encode()


def _reads(files: dict[str, bytes], suffix: str):
    def read(folder: str, data: bytes) -> None:
        damaged = {**files, _STEM + suffix: data}
        if suffix != outputs.MANIFEST:  # a hostile job lists what it made
            damaged[_STEM + outputs.MANIFEST] = _manifest(damaged)
        source, target = Path(folder, "source"), Path(folder, "target")
        for place in (source, target):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        for name, content in damaged.items():
            (source / name).write_bytes(content)
        try:
            collect(source, target / (_STEM + outputs.GRAPH))
        except OutputRefusedError as error:
            assert not os.listdir(target), os.listdir(target)
            raise BadInputError(error.message) from None
        assert set(os.listdir(target)) <= set(damaged), os.listdir(target)

    return read
