"""What files and folders hold, in one number each."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from launch_quantization.output import digests
from launch_quantization.output.digests import NO_FILE, UNREADABLE, StoppedError, digest_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_of(place: Path, names: list[str]) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(name.encode())
    return place


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    found = digest_of(tmp_path / "a")
    assert found.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert (found.size, found.files) == (3, None)


def test_a_folder_has_the_same_digest_in_whatever_order_it_was_made(tmp_path: Path) -> None:
    names = ["b/2.png", "a.png", "b/1.png", "c/d/3.png"]
    one = digest_of(folder_of(tmp_path / "one", names))
    other = digest_of(folder_of(tmp_path / "other", names[::-1]))
    assert one == other
    assert one.files == {name: hashlib.sha256(name.encode()).hexdigest() for name in names}


@pytest.mark.parametrize("change", ["content", "name", "new", "gone"])
def test_any_change_gives_another(tmp_path: Path, change: str) -> None:
    folder = folder_of(tmp_path / "folder", ["a", "b/c"])
    before = digest_of(folder)
    if change == "content":
        (folder / "b/c").write_bytes(b"b/d")
    elif change == "name":
        (folder / "b/c").rename(folder / "b/d")
    elif change == "new":
        (folder / "b/d").write_bytes(b"")
    else:
        (folder / "a").unlink()
    assert digest_of(folder).sha256 != before.sha256


def test_a_link_is_told_and_not_followed_and_a_pipe_is_not_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "folder", ["a"])
    (folder / "loop").symlink_to(folder)
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    files = digest_of(folder).files
    assert files is not None
    assert files["link"] == f"link {hashlib.sha256(b'/etc/passwd').hexdigest()}"
    assert files["loop"].startswith("link ")
    assert files["pipe"] == NO_FILE


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "folder", ["a", "b"])
    real = digests._sha256

    def fail(path: str, stop: threading.Event | None) -> str:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, stop)

    monkeypatch.setattr(digests, "_sha256", fail)
    files = digest_of(folder).files
    assert files is not None
    assert files["b"] == UNREADABLE
    assert digest_of(tmp_path / "nothing").sha256 == UNREADABLE


def test_a_large_folder_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "folder", ["a", "b"])
    read: list[str] = []
    real = digests._sha256

    def counted(path: str, stop: threading.Event | None) -> str:
        read.append(os.path.basename(path))
        return real(path, stop)

    monkeypatch.setattr(digests, "_sha256", counted)
    monkeypatch.setattr(digests, "_WORTH_KEEPING", 0)
    monkeypatch.setattr(digests, "_JUST_NOW_SECONDS", -60)  # as if they had been there for long
    first = digest_of(folder)
    assert (digest_of(folder), read) == (first, ["a", "b"])
    times = (folder / "b").stat()
    (folder / "b").write_bytes(b"c")  # as long, and made to look as old
    os.utime(folder / "b", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest_of(folder).sha256 != first.sha256
    assert read == ["a", "b", "b"]


def test_what_changed_just_now_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one tick of the clock a file may change twice."""
    monkeypatch.setattr(digests, "_WORTH_KEEPING", 0)
    folder = folder_of(tmp_path / "folder", ["a"])
    digest_of(folder)
    assert digests._load(folder) == {}


def test_few_folders_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_WORTH_KEEPING", 0)
    monkeypatch.setattr(digests, "_JUST_NOW_SECONDS", -60)
    monkeypatch.setattr(digests, "_MOST_FOLDERS", 2)
    for number in range(4):
        digest_of(folder_of(tmp_path / str(number), ["a"]))
    assert len(list(digests.digests_root().iterdir())) == 2


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"a": 1}', b'{"a": []}', b'{"a": [1, 2]}', b"\xff"])
def test_a_damaged_memory_is_none(tmp_path: Path, kept: bytes) -> None:
    folder = folder_of(tmp_path / "folder", ["a"])
    digests.digests_root().mkdir(parents=True)
    digests._kept(folder).write_bytes(kept)
    assert digest_of(folder).files == {"a": hashlib.sha256(b"a").hexdigest()}


def test_it_ends_when_nobody_waits(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        digest_of(folder_of(tmp_path / "folder", ["a"]), stop)
