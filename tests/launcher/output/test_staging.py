from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from launch_quantization.errors import BusyError, OutputRefusedError
from launch_quantization.output import staging
from launch_quantization.output.staging import remove_stale, staged, staging_path


@pytest.fixture
def out_graph(tmp_path: Path) -> Path:
    return tmp_path / "out.pb"


def test_it_is_private_and_gone_afterwards(out_graph: Path) -> None:
    with staged(out_graph, print) as path:
        assert path == staging_path(out_graph)
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert [entry.name for entry in path.iterdir()] == ["output"]
    assert list(out_graph.parent.iterdir()) == []


def test_it_goes_when_the_body_fails(out_graph: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"), staged(out_graph, print):
        raise RuntimeError("boom")
    assert list(out_graph.parent.iterdir()) == []


def test_two_launchers_on_one_output(out_graph: Path) -> None:
    with staged(out_graph, print) as path:
        with pytest.raises(BusyError, match=r"out\.pb"), staged(out_graph, print):
            pass
        assert (path / "output").is_dir()
        assert not remove_stale(path)
    with staged(out_graph, print):
        pass


def test_what_a_killed_launcher_left_is_taken_over(out_graph: Path) -> None:
    old = staging_path(out_graph)
    (old / "output" / "deep").mkdir(parents=True)
    (old / "output" / "half.pb").write_bytes(b"half")
    with staged(out_graph, print) as path:
        assert list((path / "output").iterdir()) == []


def test_the_lock_dies_with_its_holder(out_graph: Path) -> None:
    code = (
        "import os, sys, pathlib\nfrom launch_quantization.output.staging import staged\n"
        "with staged(pathlib.Path(sys.argv[1]), print): os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code, out_graph], cwd=root, check=False)
    assert staging_path(out_graph).is_dir()
    assert remove_stale(staging_path(out_graph))
    assert list(out_graph.parent.iterdir()) == []


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/tmp"), os.mkfifo], ids=str)
def test_something_else_has_its_name(out_graph: Path, make: object) -> None:
    make(staging_path(out_graph))  # type: ignore[operator]
    with pytest.raises(OutputRefusedError), staged(out_graph, print):
        pass
    assert os.path.lexists(staging_path(out_graph))


def test_only_staging_directories_are_ever_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    assert not remove_stale(precious)
    assert (precious / "file").exists()
    assert remove_stale(tmp_path / ".gone.quantizing")


def test_a_hostile_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "fifo")
    (root / "closed" / "inner").mkdir(parents=True)
    (root / "closed" / "inner" / "file").touch()
    (root / "closed" / "inner").chmod(0)
    (root / "closed").chmod(0)
    (root / "a\nb\udcff").touch()
    descriptor = os.open(root, os.O_RDONLY)
    staging.empty(descriptor)
    os.close(descriptor)
    assert list(root.iterdir()) == []
    assert (outside / "file").exists()


def test_a_tree_deeper_than_any_path_may_be(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    here = os.dup(descriptor)
    for _ in range(3000):
        os.mkdir("d" * 20, dir_fd=here)
        inner = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    staging.empty(descriptor)
    os.close(descriptor)
    assert list(root.iterdir()) == []


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    real = os.mkdir
    monkeypatch.setattr(
        os, "mkdir", lambda path, *mode, **where: (full if path == "output" else real)(path, *mode, **where)
    )
    with pytest.raises(OutputRefusedError, match="No space left"), staged(tmp_path / "out.pb", print):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_umask_closes_nothing_to_the_job(out_graph: Path) -> None:
    before = os.umask(0o277)
    try:
        with staged(out_graph, print) as path:
            assert stat.S_IMODE((path / "output").stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert list(out_graph.parent.iterdir()) == []
