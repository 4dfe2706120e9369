"""Images as OCI archives: the same bytes for the same files, whatever engine built them and when."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest

from launch_quantization.errors import BadInputError
from launch_quantization.runtimes.docker.image.archive import Saved, convert
from launch_quantization.runtimes.docker.image.layer import write_layer

TAG = "quantization:2.14-0123456789ab"
FILES = {
    "opt": None,
    "opt/venv": None,
    "opt/venv/a.py": b"a = 1\n",
    "opt/venv/b.py": b"b" * 20_000,
    "opt/venv/" + "long" * 60 + ".py": b"l",
    "opt/venv/z\u00fc": b"utf-8",
}


def layer(seed: int, files: dict[str, bytes | None], links: tuple[str, ...] = ()) -> bytes:
    """A layer as a builder might write it: in any order, at any time, by anybody's names."""
    draw = random.Random(seed)
    names = list(files)
    draw.shuffle(names)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        written: dict[bytes, str] = {}
        for name in names:
            content = files[name]
            entry = tarfile.TarInfo(name)
            entry.mtime = draw.random() * 1e9
            entry.uname = draw.choice(["root", "you", ""])
            entry.mode = 0o755 if content is None else 0o644
            entry.pax_headers = {"SCHILY.xattr.user.x": "kept"} if name.endswith("a.py") else {"atime": "1.5"}
            if content is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif name in links and content in written:
                entry.type, entry.linkname = tarfile.LNKTYPE, written[content]
                archive.addfile(entry)
            else:
                written[content] = name
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def rewritten(data: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as source:
        digest = write_layer(source, target)
    assert digest == hashlib.sha256(target.getvalue()).hexdigest()
    return target.getvalue()


def test_a_layer_is_the_same_whoever_wrote_it() -> None:
    assert len({layer(seed, FILES) for seed in range(5)}) == 5
    (written,) = {rewritten(layer(seed, FILES)) for seed in range(5)}
    with tarfile.open(fileobj=io.BytesIO(written)) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == sorted(FILES)
        for member in members:
            file = archive.extractfile(member)
            assert (file.read() if file is not None else None) == FILES[member.name]
            assert (member.mtime, member.uname, member.gname) == (0, "", "")
            assert member.mode == (0o755 if FILES[member.name] is None else 0o644)
        assert members[2].pax_headers["SCHILY.xattr.user.x"] == "kept"


def test_of_links_to_one_file_the_first_by_name_is_the_file() -> None:
    files: dict[str, bytes | None] = {"b": b"same", "c": b"same", "a": b"same", "d": b"other"}
    (written,) = {rewritten(layer(seed, files, links=("a", "b", "c"))) for seed in range(8)}
    with tarfile.open(fileobj=io.BytesIO(written)) as archive:
        kinds = [(member.name, member.islnk(), member.linkname) for member in archive.getmembers()]
        assert kinds == [("a", False, ""), ("b", True, "a"), ("c", True, "a"), ("d", False, "")]
        for name in "abc":
            file = archive.extractfile(name)
            assert file is not None
            assert file.read() == b"same"


def test_another_byte_gives_another_layer() -> None:
    other = {**FILES, "opt/venv/a.py": b"a = 2\n"}
    assert rewritten(layer(1, FILES)) != rewritten(layer(1, other))


def test_links_whiteouts_and_modes_stay() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("w/.wh.gone", tarfile.REGTYPE), ("w/link", tarfile.SYMTYPE), ("w/exe", tarfile.REGTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.uid = kind, 0o750, 7
            entry.linkname = "exe" if kind == tarfile.SYMTYPE else ""
            archive.addfile(entry)
    with tarfile.open(fileobj=io.BytesIO(rewritten(buffer.getvalue()))) as archive:
        found = {member.name: (member.type, member.mode, member.uid, member.linkname) for member in archive}
    assert found == {
        "w/.wh.gone": (tarfile.REGTYPE, 0o750, 7, ""),
        "w/exe": (tarfile.REGTYPE, 0o750, 7, ""),
        "w/link": (tarfile.SYMTYPE, 0o750, 7, "exe"),
    }


def saved(folder: Path, seed: int, *, packed: bool = False, ours: bool = True) -> Path:
    """What ``docker save`` gives of an image of ours on a base of one layer."""
    base = layer(0, {"bin": None, "bin/sh": b"#!"})
    layers = [base, layer(seed, FILES), layer(seed, {"workspace": None, "workspace/x": b"x"})]
    label = "LABEL io.github.quantization.stage=image" if ours else "LABEL another=image"
    config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "created": f"2026-11-28T10:00:{seed:02d}Z",
        "container": f"{seed:064x}",
        "docker_version": f"20.10.{seed}",
        "config": {
            "Hostname": f"{seed}",
            "User": "65534:65534",
            "Env": ["PATH=/bin"],
            "Cmd": ["python3"],
            "WorkingDir": "/workspace",
            "Labels": {
                "io.github.quantization.inputs": "12",
                "io.github.quantization.base.id": f"sha256:{seed}",
                "io.github.quantization.stage": "",
                "org.opencontainers.image.revision": f"{seed}",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]},
        "history": [
            {"created": "2025-01-01T00:00:00Z", "created_by": "ADD rootfs.tar.xz /"},
            {"created": "2025-01-01T00:00:00Z", "created_by": "CMD bash", "empty_layer": True},
            {
                "created": f"2026-01-01T00:00:{seed:02d}Z",
                "created_by": f"/bin/sh -c #(nop)  {label}",
                "empty_layer": True,
            },
            {"created": f"2026-01-01T00:00:{seed:02d}Z", "created_by": f"COPY dir:{seed} in /opt/venv"},
            {"created": f"2026-01-01T00:00:{seed:02d}Z", "created_by": f"COPY dir:{seed} in /"},
        ],
    }
    files = {f"{number}/layer.tar": gzip.compress(one) if packed else one for number, one in enumerate(layers)}
    manifest = [{"Config": "config.json", "RepoTags": [TAG], "Layers": list(files)}]
    files["config.json"] = json.dumps(config).encode()
    files["manifest.json"] = json.dumps(manifest).encode()
    folder.mkdir()
    with tarfile.open(folder / "saved.tar", "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return folder / "saved.tar"


def converted(folder: Path, seed: int, **how: bool) -> tuple[Saved, bytes]:
    found = convert(saved(folder, seed, **how), TAG, folder)
    return found, (folder / "image.tar").read_bytes()


def test_two_builds_give_one_archive(tmp_path: Path) -> None:
    one, other = converted(tmp_path / "1", 1), converted(tmp_path / "2", 2)
    assert one == other
    assert converted(tmp_path / "3", 3, packed=True) == one


def blobs_of(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {one.name: file.read() for one in archive.getmembers() if (file := archive.extractfile(one)) is not None}


def test_the_archive_is_an_oci_layout_that_docker_load_takes_too(tmp_path: Path) -> None:
    found, data = converted(tmp_path / "1", 1)
    blobs = blobs_of(data)
    for name, content in blobs.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (entry,) = json.loads(blobs["index.json"])["manifests"]
    assert entry["digest"] == found.manifest
    assert entry["annotations"]["io.containerd.image.name"] == TAG
    manifest = json.loads(blobs[f"blobs/{found.manifest.replace(':', '/')}"])
    assert manifest["config"]["digest"] == found.image_id
    config = json.loads(blobs[f"blobs/{found.image_id.replace(':', '/')}"])
    assert config["rootfs"]["diff_ids"] == [one["digest"] for one in manifest["layers"]]
    assert config["config"] == {
        "User": "65534:65534",
        "Env": ["PATH=/bin"],
        "Cmd": ["python3"],
        "WorkingDir": "/workspace",
        "Labels": {"io.github.quantization.inputs": "12"},
    }
    assert sum(not step.get("empty_layer") for step in config["history"]) == 3
    (load,) = json.loads(blobs["manifest.json"])
    assert load["RepoTags"] == [TAG]
    assert {load["Config"], *load["Layers"]} < set(blobs)


def test_layers_of_the_base_are_left_as_they_are(tmp_path: Path) -> None:
    """So that an engine, or a registry, that has the base needs not get it again."""
    _found, data = converted(tmp_path / "1", 1)
    base = hashlib.sha256(layer(0, {"bin": None, "bin/sh": b"#!"})).hexdigest()
    assert f"blobs/sha256/{base}" in blobs_of(data)


def test_an_image_of_somebody_else(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="was not built by this tool"):
        converted(tmp_path / "1", 1, ours=False)
