from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from launch_quantization.errors import UsageError
from launch_quantization.output import runs as registry
from launch_quantization.output.runs import dead_runs, recorded, remove_leftovers, runs_root
from launch_quantization.output.staging import staged, staging_path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "launch_quantization"


def test_the_cache_is_the_users(cache: Path) -> None:
    assert registry.cache_root() == cache


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)], ids=str)
def test_what_is_no_record_is_passed_over(make: Callable[[Path], object]) -> None:
    """A fifo that is opened to be read waits for who writes to it."""
    make(runs_root() / "0123456789ab.json")
    assert dead_runs() == []


def test_a_record_lives_as_long_as_its_run(tmp_path: Path) -> None:
    with recorded(tmp_path / ".out.pb.quantizing") as run_id:
        (record,) = runs_root().iterdir()
        assert record.name == f"{run_id}.json"
        assert json.loads(record.read_text())["pid"] == os.getpid()
        assert dead_runs() == []
    assert list(runs_root().iterdir()) == []


def test_what_a_killed_launcher_left_is_removed(tmp_path: Path) -> None:
    staging = tmp_path / "ünï\udcff" / ".out.pb.quantizing"
    (staging / "output").mkdir(parents=True)
    child = os.fork()
    if child == 0:
        with recorded(staging):
            os._exit(9)
    os.waitpid(child, 0)
    assert [run.staging for run in dead_runs()] == [staging]
    assert remove_leftovers() == [str(staging)]
    assert not staging.exists()
    assert list(runs_root().iterdir()) == []


def test_a_staging_that_someone_took_over_stays(tmp_path: Path) -> None:
    out_graph = tmp_path / "out.pb"
    (runs_root() / "0123456789ab.json").write_text(json.dumps({"staging": str(staging_path(out_graph))}))
    with staged(out_graph, print) as path:
        assert remove_leftovers() == []
        assert path.is_dir()
    assert remove_leftovers() == [str(path)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"staging": 5}', '{"staging": "relative"}'])
def test_damaged_records_are_dropped(text: str) -> None:
    (runs_root() / "0123456789ab.json").write_text(text)
    assert dead_runs() == []
    assert list(runs_root().iterdir()) == []


def test_a_damaged_record_costs_no_files(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (runs_root() / "0123456789ab.json").write_text(json.dumps({"staging": str(tmp_path / "precious")}))
    remove_leftovers()
    assert (tmp_path / "precious").is_dir()


def test_a_record_that_is_being_written_is_left_alone() -> None:
    new = runs_root() / "0123456789ab.new"
    new.touch()
    assert dead_runs() == []
    assert new.exists()
    os.utime(new, (0, 0))
    assert dead_runs() == []
    assert not new.exists()


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="cannot write to the cache") as caught:
        runs_root()
    assert "XDG_CACHE_HOME" in caught.value.remedy


def test_a_cache_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UsageError, match="No space left"), recorded(tmp_path / ".out.pb.quantizing"):
        pass
    assert list(runs_root().iterdir()) == []


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No home, as a random uid in a container has it; returns the folder for temporary files."""
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_a_user_without_a_home_has_a_private_cache(homeless: Path) -> None:
    root = homeless / f"launch_quantization-{os.getuid()}"
    assert runs_root() == root / "runs"
    assert root.stat().st_mode & 0o777 == 0o700
    assert runs_root() == root / "runs"


def test_a_cache_that_cannot_be_made(homeless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root may write anywhere, the rule itself is looked at."""
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "gone" / ".cache" / name)
    assert runs_root().parent.parent == homeless


@pytest.mark.parametrize("made", ["link", "open", "file"])
def test_a_private_cache_that_is_none(homeless: Path, tmp_path: Path, made: str) -> None:
    """Somebody else may have made it: what lies in it decides what is run."""
    root = homeless / f"launch_quantization-{os.getuid()}"
    if made == "link":
        root.symlink_to(tmp_path)
    elif made == "open":
        root.mkdir()
        root.chmod(0o777)
    else:
        root.touch()
    with pytest.raises(UsageError, match=r"no home directory|cannot write to the cache"):
        runs_root()
