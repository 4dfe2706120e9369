"""Whom the kernel killed for lack of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from launch_quantization.processes import kernel
from launch_quantization.processes.kernel import own_oom_kills


@pytest.mark.parametrize(
    ("groups", "file"),
    [
        ("4:memory:/a/b\n0::/\n", "memory/a/b/memory.oom_control"),
        ("4:cpu,memory:/\n", "memory/memory.oom_control"),
        ("0::/user.slice/a\n", "user.slice/a/memory.events"),
        ("1:name=systemd:/\n0::/\n", "memory.events"),
    ],
)
def test_what_happens_to_others_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, file: str
) -> None:
    monkeypatch.setattr(kernel, "oom_kills", lambda: 28)  # of all containers of this machine
    (tmp_path / "cgroup").write_text(groups)
    (tmp_path / "groups" / file).parent.mkdir(parents=True)
    (tmp_path / "groups" / file).write_text("under_oom 0\noom 7\noom_kill 3\n")
    assert own_oom_kills(tmp_path / "cgroup", tmp_path / "groups") == 3


@pytest.mark.parametrize("groups", ["", "0::/nowhere\n", "2:cpu:/\n"])
def test_where_the_kernel_does_not_say_all_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str) -> None:
    monkeypatch.setattr(kernel, "oom_kills", lambda: 28)
    (tmp_path / "cgroup").write_text(groups)
    assert own_oom_kills(tmp_path / "cgroup", tmp_path / "groups") == 28


def test_here() -> None:
    assert own_oom_kills() <= kernel.oom_kills()
