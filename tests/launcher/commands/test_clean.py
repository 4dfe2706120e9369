from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from launch_quantization.commands.cli import main
from launch_quantization.contract.outputs import kept_name
from launch_quantization.errors import BuildError, EngineUnreachableError
from launch_quantization.output.kept import kept_root
from launch_quantization.output.runs import runs_root
from launch_quantization.runtimes.docker import engine
from launch_quantization.runtimes.local import kind
from launch_quantization.runtimes.local.environment import MARKER, Environment, environments_root, in_use
from launch_quantization.runtimes.local.pythons import Python


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without an engine, and a cache of its own."""

    def unreachable() -> None:
        raise EngineUnreachableError("no Docker engine answers", "start one")

    monkeypatch.setattr(engine, "connect", unreachable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """What a killed launcher left."""
    staging = tmp_path / ".out.pb.quantizing"
    (staging / "output").mkdir(parents=True)
    (runs_root() / "0123456789ab.json").write_text(json.dumps({"staging": str(staging)}))
    return staging


@pytest.fixture
def environments() -> tuple[Path, Path]:
    """A current environment and an old one."""
    for name in ("current", "old"):
        (environments_root() / name / "lib").mkdir(parents=True)
        (environments_root() / name / MARKER).touch()
    return environments_root() / "current", environments_root() / "old"


def test_what_a_killed_launcher_left(stale: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"would remove {stale}\n"
    assert stale.exists()
    assert main(["clean"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"removed {stale}\n"
    assert "no Docker engine answers" in shown.err
    assert not stale.exists()
    assert main(["clean"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"


def test_environments_only_on_request(environments: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    current, old = environments
    monkeypatch.setattr(kind, "_find_current", lambda: frozenset([current]))
    main(["clean"])
    main(["clean", "--environments", "--dry-run"])
    assert old.exists()
    main(["clean", "--environments"])
    assert (current.exists(), old.exists()) == (True, False)
    main(["clean", "--all"])
    assert not current.exists()


def test_an_environment_in_use_stays(environments: tuple[Path, Path]) -> None:
    used = Environment(environments[1], Python(Path("python3"), (3, 11, 0)), Path("lock"))
    with in_use(used):
        main(["clean", "--all"])
        assert used.complete
    main(["clean", "--all"])
    assert not environments[1].exists()
    with pytest.raises(BuildError, match="removed meanwhile"), in_use(used):
        pass


def test_an_environment_in_the_making_stays(environments: tuple[Path, Path]) -> None:
    lock = os.open(f"{environments[1]}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    main(["clean", "--all"])
    assert environments[1].exists()
    os.close(lock)
    main(["clean", "--all"])
    assert not environments[1].exists()


def test_what_was_calibrated_goes_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    kept = kept_root() / "graph" / kept_name("1" * 64)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"statistics")
    assert main(["clean"]) == 0
    assert kept.exists()
    capsys.readouterr()
    assert main(["clean", "--statistics", "--dry_run"]) == 0
    assert capsys.readouterr().out == f"would remove {kept}\n"
    assert main(["clean", "--statistics"]) == 0
    assert capsys.readouterr().out == f"removed {kept}\n"
    assert not kept.parent.exists()


def test_what_a_killed_launcher_had_calibrated_is_kept(stale: Path) -> None:
    folder = kept_root() / "graph"
    folder.mkdir(parents=True)
    (stale / "kept").write_bytes(os.fsencode(folder))
    (stale / "output" / kept_name("1" * 64)).write_bytes(b"statistics")
    assert main(["clean"]) == 0
    assert not stale.exists()
    assert (folder / kept_name("1" * 64)).read_bytes() == b"statistics"
