"""The hardened profile: what it holds, and that the pasteable line says the same."""

from __future__ import annotations

import csv
import io
import os
import stat
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from launch_quantization.errors import BadInputError, UsageError
from launch_quantization.job.job import Mount
from launch_quantization.runtimes.docker.engine import Engine
from launch_quantization.runtimes.docker.profile import Profile, default_memory, job_profile, mount_option
from tests.launcher.docker_support import make_job

ENGINE = Engine(
    client=docker.APIClient(base_url="unix:///nowhere.sock", version="1.41"),
    address="unix:///nowhere.sock",
    name="Docker",
    version="20.10.24",
    api_version="1.41",
    rootless=False,
    remapped=False,
    selinux=False,
    remote=False,
    memory=10_000_000_000,
    cpus=4,
    architecture="x86_64",
    operating_system="Debian",
)


def profile(folder: Path, engine: Engine = ENGINE, **fields: object) -> Profile:
    output = Mount(folder, "/workspace/output", read_only=False)
    return job_profile(engine, make_job(folder, **fields), "an:image", output, ("sh",), {"a.label": "1"})


def test_the_arguments_of_the_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1234)
    monkeypatch.setattr("os.getgid", lambda: 5678)
    arguments = profile(tmp_path, cpus=1.5).create_arguments(ENGINE)
    host = arguments["host_config"]
    assert arguments["user"] == "1234:5678"
    assert arguments["labels"] == {"a.label": "1"}
    assert arguments["environment"]["HOME"] == arguments["environment"]["MPLCONFIGDIR"] == "/tmp"
    assert arguments["environment"]["OMP_NUM_THREADS"] == "1"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["NetworkMode"] == "none"
    assert host["PidsLimit"] == 4096
    assert host["Memory"] == host["MemorySwap"] == 8_000_000_000
    assert host["NanoCpus"] == 1_500_000_000
    assert host["Init"] is True
    assert {"noexec", "nosuid", "nodev"} <= set(host["Tmpfs"]["/tmp"].split(","))
    assert "Binds" not in host, "volumes would make missing paths, as root"
    assert "Privileged" not in host
    assert "AutoRemove" not in host, "the exit code and the memory verdict would be gone"
    assert [(mount["Target"], mount["ReadOnly"]) for mount in host["Mounts"]] == [
        ("/workspace/pretrained_model/in.pb", True),
        ("/workspace/dataset", True),
        ("/workspace/output", False),
    ]


def test_a_name_that_json_cannot_hold(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    folder.mkdir()
    with pytest.raises(BadInputError, match="not UTF-8"):
        profile(folder)


def test_no_proxy_of_the_user_reaches_the_job(tmp_path: Path) -> None:
    """The SDK adds what ~/.docker/config.json says, passwords included, unless told not to."""
    assert profile(tmp_path).create_arguments(ENGINE)["use_config_proxy"] is False


def test_the_callers_other_groups_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared data set is often readable through a group only."""
    monkeypatch.setattr("os.getgid", lambda: 100)
    monkeypatch.setattr("os.getgroups", lambda: [2000, 100, 1000])
    same = profile(tmp_path)
    assert same.create_arguments(ENGINE)["host_config"]["GroupAdd"] == ["1000", "2000"]
    assert {"--group-add=1000", "--group-add=2000"} <= set(same.command_line())
    assert profile(tmp_path, replace(ENGINE, rootless=True)).groups == ()


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "readable"),
    [
        (1000, 1000, 0o600, False),
        (1000, 1000, 0o640, False),
        (1000, 50, 0o640, True),
        (1000, 1000, 0o604, True),
        (0, 0, 0o600, True),
        (1000, 50, 0o604, False),
    ],
)
def test_root_without_capabilities_is_told_what_it_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, gid: int, mode: int, readable: bool
) -> None:
    job = make_job(tmp_path)
    assert job.in_graph is not None
    status = list(job.in_graph.stat())
    status[0], status[4], status[5] = stat.S_IFREG | mode, uid, gid
    real = Path.stat

    def fake(path: Path, **more: bool) -> os.stat_result:
        return os.stat_result(status) if path == job.in_graph else real(path, **more)

    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setattr("os.getgid", lambda: 0)
    monkeypatch.setattr("os.getgroups", lambda: [0, 50])
    monkeypatch.setattr(Path, "stat", fake)
    output = Mount(tmp_path, "/workspace/output", read_only=False)
    if readable:
        job_profile(ENGINE, job, "an:image", output, (), {})
        return
    with pytest.raises(BadInputError, match=f"in.pb belongs to uid {uid}"):
        job_profile(ENGINE, job, "an:image", output, (), {})


def test_memory_limits(tmp_path: Path) -> None:
    assert profile(tmp_path, memory=1 << 30).memory == 1 << 30
    assert default_memory(replace(ENGINE, memory=0)) is None


def test_root_inside_is_the_caller_under_a_rootless_engine(tmp_path: Path) -> None:
    assert profile(tmp_path, replace(ENGINE, rootless=True)).user == "0:0"


def test_a_remapping_engine_maps_nothing_here(tmp_path: Path) -> None:
    remapped = profile(tmp_path, replace(ENGINE, remapped=True))
    assert remapped.create_arguments(ENGINE)["host_config"]["UsernsMode"] == "host"
    assert "--userns=host" in remapped.command_line()


def test_selinux_labels_are_off_for_the_container_only(tmp_path: Path) -> None:
    assert profile(tmp_path, replace(ENGINE, selinux=True)).security == ("no-new-privileges", "label=disable")


def test_more_memory_than_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--memory 9537m: the engine's machine has 9536m") as caught:
        profile(tmp_path, memory=9537 << 20)
    assert caught.value.remedy == "at most --memory 9536m"
    assert profile(tmp_path, memory=9536 << 20).memory == 9536 << 20
    assert profile(tmp_path, replace(ENGINE, memory=0), memory=1 << 50).memory == 1 << 50


def test_more_cpus_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--cpus 5"):
        profile(tmp_path, cpus=5.0)


def test_the_pasteable_line_says_the_same(tmp_path: Path) -> None:
    """Every setting of the SDK's arguments appears in the line."""
    same = profile(tmp_path, cpus=2.0)
    line = same.command_line()
    for word in (
        "--rm",
        "--init",
        "--read-only",
        "--cap-drop=ALL",
        "--network=none",
        "--log-driver=none",
        "--security-opt=no-new-privileges",
        f"--user={same.user}",
        "--pids-limit=4096",
        "--memory=8000000000",
        "--memory-swap=8000000000",
        "--cpus=2",
        f"--tmpfs=/tmp:{same.tmpfs}",
    ):
        assert word in line
    assert {f"--env={name}={value}" for name, value in same.environment.items()} <= set(line)
    assert line[-2:] == ["an:image", "sh"]
    assert replace(same, tty=True, stdin=True).command_line().count("--interactive") == 1


@pytest.mark.parametrize("name", ["plain", "a b", "a:b", "a,b", 'a"b', "ü€", "-d", "a\nb", "a=b,readonly"])
def test_any_path_survives_the_mount_option(name: str) -> None:
    option = mount_option(Mount(Path("/data") / name, f"/workspace/{name}"))
    (fields,) = csv.reader(io.StringIO(option, newline=""), strict=True)
    assert fields == ["type=bind", f"source=/data/{name}", f"target=/workspace/{name}", "readonly"]
