"""Connecting to an engine: which one, what it says of itself, and every way in which it can be absent."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import docker.errors
import pytest
import requests.exceptions
from docker.credentials.errors import StoreError

from launch_quantization.errors import EngineTooOldError, EngineUnreachableError
from launch_quantization.runtimes.docker import engine as subject
from launch_quantization.runtimes.docker.engine import connect, translated
from tests.launcher.fake_engine import INFO, VERSION, FakeEngine, reply


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))


def test_what_an_engine_says_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["name=seccomp,profile=default", "name=rootless", "name=selinux", "name=userns"]
    with FakeEngine(tmp_path, {"GET /info": reply({**INFO, "SecurityOptions": options})}) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        engine = connect()
    assert engine.rootless
    assert engine.remapped
    assert engine.selinux
    assert not engine.remote
    assert (engine.memory, engine.cpus, engine.architecture) == (8 << 30, 4, "x86_64")
    assert engine.describe() == "Docker 20.10.24 (rootless)"


def test_podman_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = {**VERSION, "Version": "4.9.3", "Components": [{"Name": "Podman Engine"}]}
    with FakeEngine(tmp_path, {"GET /version": reply(version)}) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        assert connect().describe() == "Podman 4.9.3"


def test_an_old_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEngine(tmp_path, {"GET /version": reply({**VERSION, "Version": "18.9", "ApiVersion": "1.39"})}) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        with pytest.raises(EngineTooOldError, match=r"18\.9, API 1\.39 < 1\.41"):
            connect()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{",
        b"garbage\r\n\r\n",
        b"",
        reply({}),
        reply([]),
        reply({"ApiVersion": "one"}),
        reply({"message": "\x1b[31mno"}, "500 Internal Server Error"),
    ],
)
def test_an_engine_that_talks_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    with FakeEngine(tmp_path, {"GET /version": lambda _request: answer}) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        with pytest.raises(EngineUnreachableError) as caught:
            connect()
    assert fake.address in caught.value.message
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message


def test_an_engine_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mute.sock"))
        listener.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/mute.sock")
        with pytest.raises(EngineUnreachableError, match="gives no answer"):
            connect(timeout=1)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("unix:///nowhere/docker.sock", "no such socket"),
        ("tcp://127.0.0.1:1", "connection refused"),
        ("gopher://somewhere", "gopher"),
        ("tcp://[", "connecting to"),
    ],
)
def test_addresses_without_an_engine(monkeypatch: pytest.MonkeyPatch, address: str, words: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineUnreachableError, match=words) as caught:
        connect()
    assert caught.value.remedy


def test_the_current_context_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEngine(tmp_path) as fake:
        config = tmp_path / ".docker"
        meta = config / "contexts/meta" / hashlib.sha256(b"mine").hexdigest()
        meta.mkdir(parents=True)
        endpoint = {"docker": {"Host": fake.address, "SkipTLSVerify": False}}
        (meta / "meta.json").write_text(json.dumps({"Name": "mine", "Metadata": {}, "Endpoints": endpoint}))
        (config / "config.json").write_text(json.dumps({"currentContext": "mine"}))
        assert connect().address == fake.address
        monkeypatch.setenv("DOCKER_CONTEXT", "absent")
        with pytest.raises(EngineUnreachableError, match="absent"):
            connect()


def test_a_rootless_socket_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_DEFAULT_SOCKET", str(tmp_path / "absent.sock"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with FakeEngine(tmp_path) as fake:
        (tmp_path / "engine.sock").rename(tmp_path / "docker.sock")
        assert connect().address == f"unix://{tmp_path}/docker.sock"
    assert fake.requests


@pytest.mark.parametrize(
    ("address", "remote"),
    [
        ("unix:///var/run/docker.sock", False),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://build.example:2376", True),
        ("ssh://me@build.example", True),
    ],
)
def test_which_engines_are_remote(address: str, remote: bool) -> None:
    assert subject._is_remote(address) is remote


def _nested(error: Exception) -> Exception:
    """As the SDK raises it: an error as the argument of an error."""
    return requests.exceptions.ConnectionError(Exception("Connection aborted.", error))


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (_nested(PermissionError(13, "Permission denied")), "permission denied", "docker $USER"),
        (_nested(FileNotFoundError(2, "No such file")), "no such socket", "make engine"),
        (requests.exceptions.ReadTimeout("Read timed out."), "gives no answer", "docker info"),
        (docker.errors.DockerException("Install paramiko package to enable ssh://"), "paramiko", "pip install"),
        (StoreError("credentials store docker-credential-x exited"), "credential helper", "credsStore"),
        (docker.errors.TLSParameterError("Path to a certificate"), "certificate", "DOCKER_HOST"),
        (KeyError("Id"), "makes no sense", "docker info"),
    ],
)
def test_what_the_sdk_raises_is_explained(error: Exception, words: str, remedy: str) -> None:
    with pytest.raises(EngineUnreachableError, match=words) as caught, translated("removing", "a thing"):
        raise error
    assert caught.value.message.startswith("removing a thing: ")
    assert remedy in caught.value.remedy
    assert caught.value.__cause__ is error


def test_an_api_version_that_the_sdk_refuses() -> None:
    with pytest.raises(EngineTooOldError), translated("connecting to"):
        raise docker.errors.InvalidVersion("API versions below 1.24 are no longer supported")


@pytest.mark.engine
def test_the_real_engine() -> None:
    engine = connect()
    assert engine.memory > 0
    assert engine.cpus > 0
    assert engine.version
    engine.close()
