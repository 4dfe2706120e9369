from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from launch_quantization.building.context import lock_file
from launch_quantization.errors import BadInputError, BuildError
from launch_quantization.runtimes.local import environment, installation, pythons
from launch_quantization.runtimes.local.environment import Environment, find_environment, make_environment
from launch_quantization.runtimes.local.pythons import Python, find_python, probe

ROOT = Path(__file__).resolve().parents[4]
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
FAKE_PYTHON = """#!/bin/sh
# A stand-in for Python: makes "environments" and "installs" at once, and says how often.
case "$*" in
*"-m venv"*) for last; do :; done; mkdir -p "$last/bin" "$last/lib"; cp "$0" "$last/bin/python3"
    echo venv >> "$LOG";;
*"-m pip"*) echo "Collecting everything"
    echo "pip CERT=$PIP_CERT TARGET=$PIP_TARGET" >> "$LOG"; echo half > "$TMPDIR/half"; exit ${PIP_STATUS:-0};;
esac
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", pythons.PYTHON_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def fake(tmp_path: Path) -> Environment:
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    lock = tmp_path / "tensorflow-2.14.txt"
    lock.touch()
    return Environment(environment.environments_root() / "fake", Python(python, (3, 11, 0)), lock)


def logged(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_it_is_made_once(fake: Environment, tmp_path: Path) -> None:
    lines: list[str] = []
    make_environment(fake, lines.append)
    assert fake.complete
    assert "Collecting everything" in lines
    make_environment(fake, lines.append)
    assert [line.split()[0] for line in logged(tmp_path)] == ["venv", "pip"]
    make_environment(fake, lines.append, force=True)
    assert len(logged(tmp_path)) == 4


@pytest.mark.parametrize("named", ["/nosuch", "/bin/false"])
def test_a_python_that_was_named_and_is_none(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pythons.PYTHON_VARIABLE, named)
    with pytest.raises(BuildError, match=f"QUANTIZATION_PYTHON={named} does not start") as caught:
        find_environment(lock_file("2.14"))
    assert "QUANTIZATION_PYTHON" in caught.value.remedy


def test_a_failed_one_is_gone(fake: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_STATUS", "1")
    with pytest.raises(BuildError, match="python -m pip failed with status 1"):
        make_environment(fake, lambda line: None)
    assert not fake.path.exists()


def test_a_half_made_one_is_made_anew(fake: Environment, tmp_path: Path) -> None:
    (fake.path / "lib").mkdir(parents=True)
    (fake.path / "lib" / "half").touch()
    assert not fake.complete
    make_environment(fake, lambda line: None)
    assert fake.complete
    assert not (fake.path / "lib" / "half").exists()


def test_of_several_launchers_one_makes_it(fake: Environment, tmp_path: Path) -> None:
    makers = [threading.Thread(target=make_environment, args=(fake, lambda line: None)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert fake.complete
    assert [line.split()[0] for line in logged(tmp_path)] == ["venv", "pip"]


def test_temporary_files_are_in_it_and_go(fake: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody has to look for what a step left that was killed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    make_environment(fake, lambda line: None)
    assert fake.complete
    assert not list(elsewhere.iterdir())
    assert not list(fake.path.rglob("half"))


def test_no_room(fake: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(BuildError, match="GB free"):
        make_environment(fake, lambda line: None)


def test_pip_trusts_the_company_and_installs_nowhere_else(
    fake: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    make_environment(fake, lambda line: None)
    assert logged(tmp_path)[1] == f"pip CERT={tmp_path / 'ca.pem'} TARGET="


def test_a_ca_that_is_not_there(fake: Environment, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere"):
        make_environment(fake, lambda line: None, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "differs from the lock"),
        ("ERROR: No matching distribution found for x", "PIP_INDEX_URL"),
        ("SSLError: CERTIFICATE_VERIFY_FAILED", "--ca-bundle"),
        ("", "https_proxy"),
    ],
)
def test_remedies(last: str, words: str) -> None:
    assert words in installation._find_remedy(last)


def test_the_key_depends_on_lock_and_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "tensorflow-2.14.txt"
    lock.touch()
    lock.with_suffix(".in").write_text("# python: 3.11 3.10\n")
    monkeypatch.setattr(environment, "find_python", lambda wanted: (Python(Path("/p"), (3, 10, 4)), []))
    first = find_environment(lock).path
    assert first.name.startswith("2.14-py3.10-")
    assert find_environment(lock).path == first
    lock.write_text("numpy==1\n")
    assert find_environment(lock).path != first


def test_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "machine", lambda: "arm64")
    with pytest.raises(BuildError, match="x86-64"):
        find_environment(tmp_path / "lock.txt")


def test_the_running_python_is_taken_where_it_serves() -> None:
    found, rejected = find_python((OWN,))
    assert found is not None
    assert (found.minor, found.problem, rejected) == (OWN, "", [])


def test_without_any_the_error_says_what_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "tensorflow-2.14.in").write_text("# python: 3.1 3.0\n")
    with pytest.raises(BuildError) as caught:
        find_environment(tmp_path / "tensorflow-2.14.txt")
    assert caught.value.message.startswith("the local runtime needs Python 3.1 or 3.0 and found none")
    assert f"is Python {OWN}" in caught.value.message
    assert "python3.1-venv" in caught.value.remedy


def test_a_named_python_is_the_only_one_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pythons.PYTHON_VARIABLE, str(tmp_path / "nowhere"))
    assert find_python((OWN,)) == (None, [])


def test_a_python_of_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patch in ("3.1.9", "3.1.10"):
        (tmp_path / "versions" / patch / "bin").mkdir(parents=True)
        (tmp_path / "versions" / patch / "bin" / "python3.1").symlink_to(sys.executable)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    found = [path for path in pythons._list_candidates(("3.1",)) if path.is_relative_to(tmp_path)]
    assert [path.parent.parent.name for path in found] == ["3.1.10", "3.1.9"]


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho '{}'\n", "#!/bin/sh\necho no\n", "no program"]
)
def test_what_is_no_python_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "python3.11").write_text(text)
    (tmp_path / "python3.11").chmod(0o755)
    assert probe(tmp_path / "python3.11", ("3.11",)) is None


FACTS = {
    "version": [3, 11, 7],
    "implementation": "cpython",
    "bits": 64,
    "platform": "linux-x86_64",
    "venv": True,
    "ssl": True,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"version": [3, 12, 0]}, "is Python 3.12"),
        ({"implementation": "pypy"}, "is pypy"),
        ({"bits": 32}, "32-bit"),
        ({"platform": "linux-aarch64"}, "aarch64"),
        ({"ssl": False}, "ssl"),
        ({"venv": False}, "python3.11-venv"),
    ],
)
def test_why_a_python_does_not_serve(change: dict[str, object], words: str) -> None:
    problem = pythons._find_problem({**FACTS, **change}, ("3.11",))
    assert words in problem
    assert bool(problem) == bool(change)


def test_an_interrupted_build_leaves_nothing(fake: Environment, tmp_path: Path) -> None:
    fake.base.path.write_text("#!/bin/sh\ntrap '' TERM INT\necho started\nsleep 4545\n")
    fake.base.path.chmod(fake.base.path.stat().st_mode | stat.S_IXUSR)

    def stop(line: str) -> None:
        if line == "started":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_environment(fake, stop)
    assert not fake.path.exists()
    listed = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True)
    assert str(fake.base.path) not in listed.stdout
    assert os.access(fake.path.parent, os.W_OK)


def test_a_killed_launcher_takes_pip_along(fake: Environment, tmp_path: Path) -> None:
    """And the next one waits for its end before it begins anew."""
    mark = f"4646.{os.getpid()}"
    script = (
        f"#!/bin/sh\ntrap '' TERM\necho started\n[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; sleep {mark}; }}\n"
    )
    fake.base.path.write_text(script + FAKE_PYTHON.partition("\n")[2])
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from launch_quantization.runtimes.local.environment import Environment, make_environment\n"
        "from launch_quantization.runtimes.local.pythons import Python\npython, lock, path = map(Path, sys.argv[1:])\n"
        "made = Environment(path, Python(python, (3, 11, 0)), lock)\n"
        "make_environment(made, lambda line: print(line, flush=True))"
    )
    argv = [sys.executable, "-c", code, str(fake.base.path), str(fake.lock), str(fake.path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        while launcher.stdout.readline() != "started\n":
            pass
        launcher.kill()
    make_environment(fake, lambda line: None)
    assert fake.complete
    listed = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True)
    assert mark not in listed.stdout


def test_a_cache_that_cannot_be_written(fake: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BuildError, match="cannot make the environment"):
        make_environment(fake, lambda line: None)


def test_half_removed_is_not_complete(fake: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    make_environment(fake, lambda line: None)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        make_environment(fake, lambda line: None, force=True)
    assert not fake.complete
