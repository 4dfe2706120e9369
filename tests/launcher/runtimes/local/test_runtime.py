from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launch_quantization.errors import DeadlineError, LauncherError, OutputRefusedError, UsageError
from launch_quantization.job.job import Job
from launch_quantization.runtimes.local import runtime as local_runtime
from launch_quantization.runtimes.local.environment import MARKER, Environment
from launch_quantization.runtimes.local.pythons import Python
from launch_quantization.runtimes.local.runtime import LocalRuntime, check_limits, default_memory, make_workspace
from launch_quantization.runtimes.local.wall import PROGRAM_VARIABLE

INSIDE = """\
import json, os, sys
facts = {"argv": sys.argv, "environ": dict(os.environ), "cwd": os.getcwd(), "listed": sorted(os.listdir("."))}
print(json.dumps(facts))
open("output/out.pb", "wb").write(open("pretrained_model/net.pb", "rb").read())
"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "out").mkdir()
    return Job(tmp_path / "in" / "net.pb", tmp_path / "out" / "out.pb", tmp_path / "images", cpus=1)


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging" / "output").mkdir(parents=True)
    return tmp_path / "staging"


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalRuntime:
    """One whose environment is the running Python, and whose inside is a few lines."""
    package = tmp_path / "context" / "quantization" / "intel_quantization"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(INSIDE)
    (tmp_path / "environment" / "bin").mkdir(parents=True)
    (tmp_path / "environment" / "bin" / "python3").symlink_to(sys.executable)
    (tmp_path / "environment" / MARKER).touch()
    found = Environment(tmp_path / "environment", Python(Path(sys.executable), (3, 11, 7)), tmp_path / "lock.txt")
    monkeypatch.setattr(local_runtime, "find_environment", lambda lock: found)
    monkeypatch.setattr(local_runtime, "context_root", lambda: tmp_path / "context")
    monkeypatch.setenv(PROGRAM_VARIABLE, "none")
    return LocalRuntime("2.14")


def test_the_workspace_looks_like_the_one_in_a_container(job: Job, staging: Path) -> None:
    workspace = make_workspace(job, staging, staging / "output")
    names = sorted(path.name for path in workspace.iterdir())
    assert names == [
        "dataset",
        "output",
        "pretrained_model",
        "quantization",
    ]
    assert (workspace / "pretrained_model" / "net.pb").read_bytes() == b"graph"
    assert (workspace / "dataset").samefile(job.data_location or "")
    assert (workspace / "quantization" / "intel_quantization").is_dir()


def test_a_file_of_data_keeps_its_name(job: Job, staging: Path, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"data")
    workspace = make_workspace(replace(job, data_location=tmp_path / "data.npz"), staging, staging / "output")
    assert (workspace / "dataset" / "data.npz").read_bytes() == b"data"


def test_a_job(runtime: LocalRuntime, job: Job, staging: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("LD_PRELOAD", "")
    lines: list[bytes] = []
    assert runtime.run(job, staging, lambda line, stream: lines.append(line)) == 0
    said = json.loads(lines[0])
    assert said["argv"][1:] == job.command()[3:]
    assert said["cwd"] == said["environ"]["WORKSPACE"] == str(staging / "workspace")
    assert said["environ"]["OMP_NUM_THREADS"] == "1"
    assert said["environ"]["HOME"] == str(staging / "home")
    assert not {"SECRET_TOKEN", "LD_PRELOAD"} & set(said["environ"])
    assert (staging / "output" / "out.pb").read_bytes() == b"graph"


@pytest.mark.parametrize(
    ("folder", "error", "words"),
    [
        ("output", OutputRefusedError, "8 MiB into the output"),
        ("../home", OutputRefusedError, "16 MiB into temporary files"),
        (".", OutputRefusedError, "16 MiB into temporary files"),
        (None, DeadlineError, "no progress for 3 s, at its start"),
    ],
)
def test_a_job_that_gets_nowhere_or_fills_the_disk(
    runtime: LocalRuntime,
    job: Job,
    staging: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str | None,
    error: type[LauncherError],
    words: str,
) -> None:
    monkeypatch.setattr(local_runtime, "_LEAST_TEMPORARY", 8 << 20)
    does = "pass" if folder is None else f"[open(f'{folder}/{{n}}', 'wb').write(bytes(5 << 20)) for n in range(4)]"
    script = f"import resource, time\nassert resource.getrlimit(1)[0] == 16 << 20\n{does}\ntime.sleep(60)\n"
    (tmp_path / "context" / "quantization" / "intel_quantization" / "__main__.py").write_text(script)
    with pytest.raises(error, match=words):
        runtime.run(replace(job, output_limit=8 << 20, memory=1 << 26, stall_timeout=3.0), staging, lambda *_: None)


def test_the_plan_works_when_pasted(runtime: LocalRuntime, job: Job, staging: Path, tmp_path: Path) -> None:
    plan = runtime.plan(job, staging)
    command = plan["command"]
    assert isinstance(command, list)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    subprocess.run(
        ["bash", "-c", shlex.join(command)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert plan["wall"] is None
    assert job.out_graph is not None
    assert job.out_graph.read_bytes() == b"graph"
    assert list(temporary.iterdir()) == []


def test_it_says_that_there_is_no_wall(runtime: LocalRuntime) -> None:
    assert "not walled in, as QUANTIZATION_BWRAP=none says so" in runtime.describe()
    assert "\n" not in runtime.describe()


def test_most_of_the_memory_is_the_limit() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < default_memory() < total


def test_more_memory_than_there_is() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    check_limits(None, None)
    check_limits(len(os.sched_getaffinity(0)), default_memory())
    with pytest.raises(UsageError, match=r"--memory .*: this machine has") as caught:
        check_limits(None, total + (1 << 20))
    assert caught.value.remedy.startswith("at most --memory ")


def test_a_checkout_with_a_colon_in_its_path(tmp_path: Path) -> None:
    package = tmp_path / "check:out" / "quantization"
    (package / "intel_quantization").mkdir(parents=True)
    (package / "intel_quantization" / "__init__.py").write_text("print('found')")
    (tmp_path / "quantization").symlink_to(package)
    variables = {"PYTHONPATH": local_runtime._python_path(package)}
    done = subprocess.run(
        [sys.executable, "-c", "import os; os.chdir('/'); import intel_quantization"],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"found\n", done.stderr


def test_more_cpus_than_there_are() -> None:
    there = len(os.sched_getaffinity(0))
    check_limits(0.5, None)
    with pytest.raises(UsageError, match="--cpus 999: there are") as caught:
        check_limits(999.0, None)
    assert caught.value.remedy == f"at most --cpus {there}"
