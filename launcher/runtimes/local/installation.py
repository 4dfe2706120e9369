"""The steps that make a local environment, with their output live: venv, pip, and compiling ahead."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from launch_quantization.building.site import CA_VARIABLES
from launch_quantization.errors import BadInputError, BuildError
from launch_quantization.processes.process import end, supervised
from launch_quantization.signals import shield
from launch_quantization.stream.lines import BuildLog, LineSplitter
from launch_quantization.stream.sanitize import safe_line


def fill(path: Path, base: Path, requirements: Path, variables: dict[str, str], log: BuildLog, lock: int) -> None:
    """Make a virtual environment and install into it what a lock file says.

    Args:
        path: of the environment.
        base: the Python it is made with.
        requirements: the lock file, with hashes.
        variables: the environment of the steps, from ``pip_variables``.
        log: takes their output, line by line.
        lock: a descriptor that the steps inherit and that is locked until the last of them has ended.

    Raises:
        BuildError: a step failed.
    """
    python = str(path / "bin" / "python3")
    # Within the environment: what a step that is killed leaves of its temporary files goes with the rest of it.
    temporary = path / "tmp"
    temporary.mkdir(parents=True)
    variables = {**variables, "TMPDIR": str(temporary)}
    _run([str(base), "-I", "-m", "venv", str(path)], variables, log, lock)
    command = [python, "-I", "-m", "pip", "install", "--require-hashes", "--only-binary=:all:"]
    command += [
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--no-compile",
        "-r",
        str(requirements),
    ]
    _run(command, variables, log, lock)
    _run(
        [python, "-I", "-m", "compileall", "-q", "-j", "0", str(path / "lib")],
        variables,
        log,
        lock,
        accept=(0, 1),
    )
    shutil.rmtree(temporary)


def pip_variables(ca_bundle: Path | None) -> dict[str, str]:
    """The caller's environment (proxies, index, caches) without what would change Python itself.

    Raises:
        BadInputError: the CA bundle that is named is no file.
    """
    variables = {
        key: value for key, value in os.environ.items() if not key.startswith("PYTHON") and key != "VIRTUAL_ENV"
    }
    variables["PYTHONUNBUFFERED"] = "1"
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"):
        variables.pop(name, None)
    named = ca_bundle or next((Path(os.environ[name]) for name in CA_VARIABLES if os.environ.get(name)), None)
    if named is not None:
        if not os.path.isfile(named):
            raise BadInputError(f"the CA bundle {named} is no file", f"check --ca-bundle and {', '.join(CA_VARIABLES)}")
        variables["PIP_CERT"] = str(named.resolve())
    return variables


def _run(
    command: list[str], variables: dict[str, str], log: BuildLog, lock: int, accept: tuple[int, ...] = (0,)
) -> None:
    """Run a step with its output live; it ends as a whole when the launcher is interrupted or killed.

    It inherits the lock: after a kill, the next launcher waits until the step really has ended.
    """
    last = ""
    process: subprocess.Popen[bytes] | None = None
    splitter = LineSplitter()
    try:
        with shield():
            process = subprocess.Popen(
                supervised(command),
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
            )
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while chunk := os.read(descriptor, 65536):
            for line in splitter.feed(chunk):
                last = _told(line, log) or last
        for line in splitter.flush():
            last = _told(line, log) or last
        status = process.wait()
    finally:
        with shield():
            if process is not None:
                end(process)
                if process.stdout is not None:
                    process.stdout.close()
    if status not in accept:
        raise BuildError(f"{_name_step(command)} failed with status {status}: {last}", _find_remedy(last))


def _told(line: bytes, log: BuildLog) -> str:
    text = safe_line(line)
    if text.strip():
        log(text)
    return text.strip() if "ERROR" in text or "error" in text else ""


def _name_step(command: list[str]) -> str:
    return f"python -m {command[command.index('-m') + 1]}"


def _find_remedy(last: str) -> str:
    if "HASH" in last.upper():
        return "a package differs from the lock file: check the index or proxy you download from"
    if "No matching distribution" in last or "Could not find a version" in last:
        return "the package index lacks it: check PIP_INDEX_URL, pip.conf and the proxy variables"
    if "SSL" in last or "CERTIFICATE" in last.upper():
        return "name your company's CA with --ca-bundle FILE"
    return "see the lines above; proxies are taken from https_proxy, the index from PIP_INDEX_URL or pip.conf"
