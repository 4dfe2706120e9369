"""What a walled-in local job may, and what it may not. The same is asked of a container in test_docker_runtime."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from launch_quantization.errors import BadInputError, DeadlineError, EngineUnreachableError, QuantizationFailedError
from launch_quantization.job.job import Job
from launch_quantization.runtimes.local import runtime as local_runtime
from launch_quantization.runtimes.local import wall
from launch_quantization.runtimes.local.environment import MARKER, Environment
from launch_quantization.runtimes.local.pythons import Python
from launch_quantization.runtimes.local.runtime import LocalRuntime
from launch_quantization.runtimes.local.wall import PROGRAM_VARIABLE, Inside, find_wall, walled

_MAIN = "import os, sys\nos.execvp('bash', ['bash', '-c', open('/workspace/dataset/script').read()])\n"
_NOBODY = 65534


@dataclass
class Ground:
    """A local runtime whose job is a bash script."""

    folder: Path
    runtime: LocalRuntime
    job: Job

    def run(self, script: str, **options: object) -> tuple[int, list[str], list[str]]:
        """Exit status, lines of stdout, lines of stderr."""
        assert self.job.data_location is not None
        (self.job.data_location / "script").write_text(script)
        staging = self.folder / "staging"
        (staging / "output").mkdir(parents=True, exist_ok=True)
        lines: list[tuple[bytes, str]] = []
        status = self.runtime.run(
            replace(self.job, **options),  # type: ignore[arg-type]
            staging,
            lambda line, stream: lines.append((line, stream)),
        )
        out, err = ([line.decode() for line, stream in lines if stream == name] for name in ("stdout", "stderr"))
        return status, out, err


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One whose packages are those of the running Python."""
    (tmp_path / "environment" / "bin").mkdir(parents=True)
    (tmp_path / "environment" / "bin" / "python3").symlink_to(sys.executable)
    (tmp_path / "environment" / MARKER).touch()
    return Environment(tmp_path / "environment", Python(Path(sys.executable), (3, 11, 7)), tmp_path / "lock.txt")


@pytest.fixture
def ground(tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Ground:
    package = tmp_path / "context" / "quantization" / "intel_quantization"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(_MAIN)
    for name in ("in", "images", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "net.pb").write_bytes(b"graph")
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(local_runtime, "find_environment", lambda _lock: environment)
    monkeypatch.setattr(local_runtime, "context_root", lambda: tmp_path / "context")
    monkeypatch.delenv(PROGRAM_VARIABLE, raising=False)
    job = Job(tmp_path / "in" / "net.pb", tmp_path / "out" / "out.pb", tmp_path / "images")
    return Ground(tmp_path, LocalRuntime("2.14", insist=True), job)


@pytest.mark.bwrap
def test_what_a_job_may(ground: Ground) -> None:
    script = """
    cat pretrained_model/net.pb; echo; echo $HOME $WORKSPACE $PWD; id -u
    touch output/new /tmp/x /dev/shm/x
    python3 -c 'import multiprocessing; multiprocessing.Lock()'
    python3 -c 'import sys; print(sys.flags.no_user_site)'
    ls /workspace | xargs
    """
    status, out, err = ground.run(script)
    assert (status, err) == (0, [])
    assert out == [
        "graph",
        "/tmp /workspace /workspace",
        str(os.getuid()),
        "1",
        "dataset output pretrained_model quantization",
    ]
    made = ground.folder / "staging/output/new"
    assert (made.stat().st_uid, made.stat().st_gid) == (os.getuid(), os.getgid())


@pytest.mark.bwrap
@pytest.mark.parametrize(
    "attempt",
    [
        "touch /x",
        "touch /usr/x",
        "touch /dev/x",
        "touch /workspace/x",
        "touch /workspace/dataset/x",
        "touch /workspace/quantization/x",
        "echo x > /workspace/pretrained_model/net.pb",
        "cat {folder}/secret",
        "ls {folder}/out",
        "cat /etc/passwd",
        "kill -0 {launcher}",
        "ls /proc/{launcher}",
        "chown 1:1 /workspace/output",
        "mount -t tmpfs x /tmp",
        "mount -o remount,rw,bind /usr",
        "unshare --user true",
        "python3 -c 'import os; os.chroot(\"/tmp\")'",
        "python3 -c \"import socket; socket.create_connection(('192.0.2.1', 80), 2)\"",
        "python3 -c 'import socket; socket.socket(38)'",
        "python3 -c 'import socket; socket.socket(socket.AF_VSOCK)'",
        'python3 -c "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0) == -1 and exit(1)"',
        "python3 -c \"import fcntl; fcntl.ioctl(0, 0x5412, b'x')\"",
        "test $(grep CapEff /proc/self/status | cut -f 2) != 0000000000000000",
        "test $(grep NoNewPrivs /proc/self/status | cut -f 2) != 1",
        "test $(ls /sys/class/net | wc -l) -gt 0",
        "test $(grep -c : /proc/net/dev) -gt 1",
        "env | grep SECRET",
    ],
)
def test_what_a_job_may_not(ground: Ground, monkeypatch: pytest.MonkeyPatch, attempt: str) -> None:
    monkeypatch.setenv("SECRET", "x")
    status, _, err = ground.run(attempt.format(folder=ground.folder, launcher=os.getpid()))
    assert status != 0
    assert "command not found" not in "".join(err)


def test_without_a_wall_it_may(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above fails where the wall is what is missing."""
    script = f"test -e {ground.folder}/secret && touch {ground.folder}/x && kill -0 {os.getpid()}"
    (ground.folder / "context/quantization/intel_quantization/__main__.py").write_text(_MAIN.replace("/workspace/", ""))
    monkeypatch.setenv(PROGRAM_VARIABLE, "none")
    ground.runtime = LocalRuntime("2.14")
    assert ground.run(script)[0] == 0


def test_who_insists_gets_no_job_without_a_wall(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRAM_VARIABLE, str(ground.folder / "nowhere"))
    with pytest.raises(EngineUnreachableError, match=r"--runtime bwrap: QUANTIZATION_BWRAP=.* is no program"):
        ground.runtime.describe()
    with pytest.raises(EngineUnreachableError):
        ground.run("true")


@pytest.mark.bwrap
def test_processes_without_end(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_runtime, "PROCESSES", 40)
    with pytest.raises(QuantizationFailedError, match="more than 40 processes"):
        ground.run("while :; do sleep 1000 & sleep 0.005; done")
    mark = os.fsencode(ground.folder)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]
    assert not left


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.bwrap
def test_what_daemonizes_ends_with_the_job(ground: Ground) -> None:
    status, out, _ = ground.run("setsid sh -c 'sleep 1; echo x > output/late' >/dev/null 2>&1 & echo started")
    assert (status, out) == (0, ["started"])
    subprocess.run(["sleep", "1.5"], check=True)
    assert not (ground.folder / "staging/output/late").exists()


@pytest.mark.bwrap
def test_limits_hold_behind_the_wall(ground: Ground) -> None:
    with pytest.raises(DeadlineError, match="--timeout 1 s"):
        ground.run("trap '' TERM; sleep 1000", timeout=1.0)
    assert ground.run("exit 7")[0] == 7
    assert ground.run("kill -9 $$")[0] == 137


@pytest.mark.bwrap
def test_the_plan_works_when_pasted(ground: Ground) -> None:
    assert ground.job.data_location is not None
    (ground.job.data_location / "script").write_text("cp pretrained_model/net.pb output/; echo $HOME; touch /tmp/x")
    plan = ground.runtime.plan(ground.job, ground.folder / "none")
    command = plan["command"]
    assert isinstance(command, list)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("/tmp\n", "")
    assert (ground.folder / "out/net.pb").read_bytes() == b"graph"
    assert str(plan["wall"]).startswith("bubblewrap ")


@pytest.mark.bwrap
@pytest.mark.parametrize("name", ["a b", "a:b", "a,b", 'a"b', "ü€", "-d", "$(x)'", "n\udcfct"])
def test_any_path_is_mounted(ground: Ground, name: str) -> None:
    folder = ground.folder / name
    folder.mkdir()
    graph = folder / f"{name}.pb"
    graph.write_bytes(b"odd")
    ground.job = replace(ground.job, in_graph=graph)
    status, out, err = ground.run("cat /workspace/pretrained_model/*.pb")
    assert (status, out, err) == (0, ["odd"], [])


@pytest.mark.bwrap
@pytest.mark.skipif(os.getuid() != 0, reason="only root has files of somebody else")
def test_root_without_capabilities_cannot_read_what_is_closed(ground: Ground) -> None:
    assert ground.job.in_graph is not None
    os.chown(ground.job.in_graph, 54321, 54321)
    ground.job.in_graph.chmod(0o600)
    with pytest.raises(BadInputError, match="belongs to uid 54321"):
        ground.run("true")


@pytest.mark.bwrap
@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a job as somebody else")
def test_an_ordinary_user_gets_the_same_wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's Python, since root's own is closed to others."""
    system = shutil.which("python3", path="/usr/bin")
    assert system is not None
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        for name in (".", "environment", "out"):
            (folder / name).mkdir(exist_ok=True)
            os.chown(folder / name, _NOBODY, _NOBODY)
        environment = Environment(folder / "environment", Python(Path(system), (3, 11, 2)), folder / "lock.txt")
        monkeypatch.setattr(wall.os, "getuid", lambda: _NOBODY)
        monkeypatch.setattr(wall.os, "getgid", lambda: _NOBODY)
        found = find_wall(environment)
        inside = Inside(environment, Path("/usr"), output=folder / "out", temporary={"/tmp": None})
        script = "touch /workspace/output/new && id -u && ! touch /usr/x && grep -q 'CapEff.*0000$' /proc/self/status"
        command = [*walled(found, inside, None), "/bin/sh", "-c", script]
        setpriv = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        done = subprocess.run([*setpriv, *command], capture_output=True, text=True, check=False, cwd="/")
        assert (done.returncode, done.stdout) == (0, f"{_NOBODY}\n"), done.stderr
        assert (folder / "out" / "new").stat().st_uid == _NOBODY
    finally:
        shutil.rmtree(folder)


@pytest.mark.bwrap
def test_a_python_behind_links(tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """~/bin/python3 -> a folder that is a link -> where it was installed."""
    monkeypatch.delenv(PROGRAM_VARIABLE, raising=False)
    real = Path(os.path.realpath(sys.executable))
    (tmp_path / "pythons").symlink_to(real.parent.parent)
    (tmp_path / "home" / "bin").mkdir(parents=True)
    (tmp_path / "home" / "private").touch()
    link = tmp_path / "home" / "bin" / "python3"
    link.symlink_to(tmp_path / "pythons" / "bin" / real.name)
    found = replace(environment, base=replace(environment.base, path=link))
    assert find_wall(found).holds
    command = [*walled(find_wall(found), Inside(found, Path("/usr")), None), os.fspath(link), "-c"]
    look = f"import os; print(os.path.exists({str(tmp_path / 'home' / 'private')!r}))"
    assert subprocess.run([*command, look], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("program", "words"),
    [("exit 1", "cannot start Python: it gives no reason"), ("echo no >&2; exit 1", "cannot start Python: no")],
)
def test_a_bubblewrap_that_does_not_work(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    script = tmp_path / "bwrap"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setenv(PROGRAM_VARIABLE, str(script))
    found = find_wall(environment)
    assert not found.holds
    assert found.problem.endswith(words)
    assert found.remedy


def test_the_remedy_names_the_switch_that_forbids_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = tmp_path / "switch"
    switch.write_text("1\n")
    monkeypatch.setattr(wall, "_SWITCHES", ((str(tmp_path / "none"), "0", "x"), (str(switch), "1", "turn it")))
    assert wall._find_remedy() == f"user namespaces are forbidden here ({switch} is 1): turn it"


def test_no_bubblewrap_at_all(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRAM_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_wall(environment).problem == "bubblewrap is not installed"
