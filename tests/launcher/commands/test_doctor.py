from __future__ import annotations

import json
from pathlib import Path

import pytest

from launch_quantization.building.site import CA_VARIABLES
from launch_quantization.commands import doctor
from launch_quantization.commands.cli import main
from launch_quantization.contract import cpu
from launch_quantization.errors import BuildError, EngineUnreachableError
from launch_quantization.runtimes.docker import engine
from launch_quantization.runtimes.docker.image import build as image
from launch_quantization.runtimes.kind import OK, PROBLEM, WARNING, Finding
from launch_quantization.runtimes.local import environment
from launch_quantization.runtimes.local.kind import Local
from launch_quantization.runtimes.local.pythons import Python
from launch_quantization.runtimes.local.wall import PROGRAM_VARIABLE


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without an engine."""

    def unreachable() -> None:
        raise EngineUnreachableError("no Docker engine answers", "start one")

    monkeypatch.setattr(engine, "connect", unreachable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in (*CA_VARIABLES, "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def findings(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, dict[str, str]]:
    main(["doctor", "--json", *argv])
    return {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}


def test_everything_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(capsys)
    assert list(found) == [
        "python",
        "architecture",
        "cpu",
        "engine",
        "local python",
        "wall",
        *(f"variant {variant}" for variant in ("1.15", "2.0", "2.1", "2.14", "stock")),
        "disk (cache)",
        "company CA",
        "proxies",
        "leftovers",
    ]
    for finding in found.values():
        assert finding["found"]
        assert bool(finding["remedy"]) == (finding["level"] != OK), finding


def test_the_text_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    shown = capsys.readouterr().out
    assert "warning  engine         no Docker engine answers\n" in shown
    assert "-> start one\n" in shown


def test_without_an_engine_docker_is_a_problem_and_auto_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_check_cpu", lambda: Finding("cpu", OK, "avx"))
    monkeypatch.setattr(Local, "examine", lambda *_: iter([Finding("local python", OK, "3.11")]))
    assert main(["doctor"]) == 0
    assert main(["doctor", "--runtime", "docker"]) == 4
    monkeypatch.setattr(Local, "examine", lambda *_: iter([Finding("local python", PROBLEM, "none", "install one")]))
    assert main(["doctor", "--runtime", "local"]) == 6
    assert main(["doctor"]) == 6


def test_without_bubblewrap_a_local_job_is_not_walled_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_check_cpu", lambda: Finding("cpu", OK, "avx"))
    monkeypatch.setenv(PROGRAM_VARIABLE, "none")
    wall = findings(capsys, "--runtime", "local")["wall"]
    assert (wall["level"], wall["remedy"]) == (WARNING, "unset QUANTIZATION_BWRAP")
    assert wall["found"].startswith("local jobs have your rights, as ")
    assert main(["doctor", "--runtime", "bwrap", "--json"]) == 4
    insisted = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert insisted["wall"]["level"] == PROBLEM


@pytest.mark.bwrap
def test_with_bubblewrap_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    wall = findings(capsys, "--runtime", "bwrap")["wall"]
    assert wall["level"] == OK
    assert "walls local jobs in" in wall["found"]


def test_no_python_for_the_local_runtime(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def none(lock: Path) -> None:
        raise BuildError("found none", "install one")

    monkeypatch.setattr(environment, "find_environment", none)
    assert findings(capsys)["local python"]["level"] == PROBLEM


def test_each_variant_and_what_there_is_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Somewhere:
        api_version, cpus, memory = "1.41", 2, 8e9

        def describe(self) -> str:
            return "Docker"

        def close(self) -> None:
            pass

    def python(lock: Path) -> object:
        if "1.15" in lock.name:
            raise BuildError("it needs Python 3.7 and found none", "install one")
        path, base = Path("/e"), Python(Path("/p"), (3, 11, 7))
        return type("Found", (), {"complete": "2.14" in lock.name, "base": base, "path": path})()

    monkeypatch.setattr(engine, "connect", Somewhere)
    monkeypatch.setattr(
        image, "find_image", lambda _engine, spec: "quantization:2.14-abc" if spec.variant == "2.14" else None
    )
    monkeypatch.setattr(environment, "find_environment", python)
    found = findings(capsys)
    assert found["variant 2.14"]["found"] == "image quantization:2.14-abc; local environment ready, Python 3.11.7"
    assert (
        found["variant stock"]["found"]
        == "image not built, or not up to date; local environment not made yet, Python 3.11.7"
    )
    assert found["variant 1.15"]["found"] == (
        "image not built, or not up to date; no local environment: it needs Python 3.7 and found none"
    )


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("avx512_vnni avx", OK),
        ("avx avx_vnni", OK),
        ("avx avx2", WARNING),
        ("avx amx_int8", OK),
        ("fpu", PROBLEM),
    ],
)
def test_cpu_flags(monkeypatch: pytest.MonkeyPatch, flags: str, level: str) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_kwargs: f"processor : 0\nflags\t\t: {flags}\n")
    finding = doctor._check_cpu()
    assert finding.level == level


def test_cpu_flags_are_those_of_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"flags : {' '.join(reversed(cpu.FLAGS))} fpu\n"
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_kwargs: text)
    assert doctor._check_cpu().found == ", ".join(cpu.FLAGS)
    assert {"avx512_bf16", "amx_bf16"} < set(cpu.FLAGS)


def test_an_apple_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "machine", lambda: "arm64")
    assert doctor._check_architecture().level == PROBLEM


def test_a_ca_that_is_not_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert "REQUESTS_CA_BUNDLE" in findings(capsys)["company CA"]["found"]
    assert findings(capsys, "--ca-bundle", __file__)["company CA"]["level"] == OK


def test_little_room(tmp_path: Path) -> None:
    assert doctor._check_room("disk", tmp_path, 1 << 60).level == WARNING


def test_no_cache_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert doctor._check_cache().level == PROBLEM
    assert doctor._check_leftovers().level == OK
