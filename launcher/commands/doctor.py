"""``launch_quantization doctor``: a list of checks, each with what it found and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launch_quantization.building.site import CA_VARIABLES
from launch_quantization.commands.quantize import ca_path
from launch_quantization.contract import cpu
from launch_quantization.contract.options import DoctorOptions
from launch_quantization.errors import LauncherError, UsageError
from launch_quantization.output.runs import dead_runs, runs_root
from launch_quantization.runtimes.docker.image.build import ImageSpec, find_image, lock_file, variants
from launch_quantization.runtimes.local import environment
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view.progress import write_line

if TYPE_CHECKING:
    from launch_quantization.runtimes.docker.engine import Engine

OK, WARNING, PROBLEM = "ok", "warning", "problem"
_MARKS = {OK: "ok      ", WARNING: "warning ", PROBLEM: "PROBLEM "}
_MACHINES = ("x86_64", "AMD64")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at.
        level: ``ok``, ``warning`` or ``problem``.
        found: one line.
        remedy: one line; empty when all is well.
    """

    check: str
    level: str
    found: str
    remedy: str = ""


def doctor(options: DoctorOptions) -> int:
    """Print all findings.

    Returns:
        0 when a job can run in the runtime that ``--runtime`` names, ``auto`` being any; else 4 where
        the engine is what is missing, 6 where the local environment is.
    """
    findings = list(examine(options))
    if options.json:
        write_line(sys.stdout, json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            write_line(sys.stdout, safe_text(f"{_MARKS[finding.level]} {finding.check:<14} {finding.found}"))
            if finding.remedy:
                write_line(sys.stdout, safe_text(f"{'':<24}-> {finding.remedy}"))
    return _exit_code(findings, options.runtime)


def _exit_code(findings: list[Finding], runtime: str) -> int:
    bad = {finding.check for finding in findings if finding.level == PROBLEM}
    machine_fails = bool(bad & {"architecture", "cpu", "disk (cache)"})
    docker_fails = machine_fails or any(one.check == "engine" and one.level != OK for one in findings)
    local_fails = machine_fails or "local python" in bad
    if runtime == "docker":
        return 4 if docker_fails else 0
    if runtime == "local":
        return 6 if local_fails else 0
    return 6 if docker_fails and local_fails else 0


def examine(options: DoctorOptions) -> Iterator[Finding]:
    """Run every check; one that fails does not keep the others from running."""
    lock = lock_file(options.tensorflow)
    yield _python()
    yield _architecture()
    yield _cpu()
    engine, finding = _engine(options)
    yield finding
    if engine is not None:
        yield _image(lambda: find_image(engine, ImageSpec(options.tensorflow, options.base_image, ca_path(options))))
    yield _local(lock)
    yield from _variants(engine, options)
    if engine is not None:
        engine.close()
    yield _cache()
    yield _ca(options)
    yield _proxies()
    yield _leftovers()


def _python() -> Finding:
    version = platform.python_version()
    return Finding("python", OK, f"{version} at {sys.executable}")


def _architecture() -> Finding:
    machine = platform.machine()
    if machine in _MACHINES:
        return Finding("architecture", OK, f"{platform.system()} on {machine}")
    return Finding(
        "architecture",
        PROBLEM,
        f"{platform.system()} on {machine}; the TensorFlow wheels are for x86-64, and emulators lack AVX",
        "use an x86-64 machine, or point DOCKER_HOST at an engine on this network that shares these files",
    )


def _cpu() -> Finding:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    except OSError:
        return Finding("cpu", WARNING, "cannot be examined: no /proc/cpuinfo", "make sure it has AVX")
    flags = cpu.flags_of(text)
    if "avx" not in flags:
        return Finding(
            "cpu",
            PROBLEM,
            "no AVX, without which TensorFlow crashes",
            "use another machine, or give the virtual machine the host's CPU model",
        )
    if not cpu.has_int8(flags):
        return Finding(
            "cpu",
            WARNING,
            f"{', '.join(flags)}, but no VNNI",
            "INT8 graphs work here, but gain most on a CPU with VNNI; measure there",
        )
    return Finding("cpu", OK, ", ".join(flags))


def _engine(options: DoctorOptions) -> tuple[Engine | None, Finding]:
    from launch_quantization.runtimes.docker.engine import connect

    try:
        engine = connect()
    except LauncherError as error:
        level = PROBLEM if options.runtime == "docker" else WARNING
        return None, Finding("engine", level, error.message, error.remedy)
    text = f"{engine.describe()}, API {engine.api_version}, {engine.cpus} CPUs, {engine.memory / 1e9:.1f} GB"
    return engine, Finding("engine", OK, text)


def _image(find: Callable[[], str | None]) -> Finding:
    try:
        tag = find()
    except LauncherError as error:
        return Finding("image", WARNING, error.message, error.remedy)
    if tag is None:
        return Finding(
            "image", WARNING, "not built, or not up to date", "launch_quantization build; or the first run builds it"
        )
    return Finding("image", OK, tag)


def _local(lock: Path) -> Finding:
    try:
        found = environment.find_environment(lock)
    except LauncherError as error:
        return Finding("local python", PROBLEM, error.message, error.remedy)
    state = "environment ready" if found.complete else "environment not made yet; the first local run makes it"
    return Finding("local python", OK, f"{found.base.full} at {found.base.path}; {state}")


def _variants(engine: Engine | None, options: DoctorOptions) -> Iterator[Finding]:
    """Each TensorFlow variant, and what there is of it here; none of them is a problem."""
    for variant in variants():
        where = [] if engine is None else [_variant_image(engine, variant, options.base_image)]
        where.append(_variant_environment(lock_file(variant)))
        yield Finding(f"variant {variant}", OK, "; ".join(where))


def _variant_image(engine: Engine, variant: str, base: str | None) -> str:
    try:
        tag = find_image(engine, ImageSpec(variant, base))
    except LauncherError as error:
        return f"image not known: {error.message}"
    return "image not built, or not up to date" if tag is None else f"image {tag}"


def _variant_environment(lock: Path) -> str:
    try:
        found = environment.find_environment(lock)
    except LauncherError as error:
        return f"no local environment: {error.message}"
    state = "ready" if found.complete else "not made yet"
    return f"local environment {state}, Python {found.base.full}"


def _cache() -> Finding:
    try:
        return _room("disk (cache)", runs_root(), environment.NEEDED_BYTES)
    except UsageError as error:
        return Finding("disk (cache)", PROBLEM, error.message, error.remedy)


def _room(check: str, path: Path, needed: int) -> Finding:
    free = shutil.disk_usage(path).free
    text = f"{free / 1e9:.1f} GB free at {path}"
    if free < needed:
        return Finding(
            check, WARNING, text, f"a local environment needs {needed / 1e9:.0f} GB: make room, or set XDG_CACHE_HOME"
        )
    return Finding(check, OK, text)


def _ca(options: DoctorOptions) -> Finding:
    named = [("--ca-bundle", options.ca_bundle), *((name, os.environ.get(name)) for name in CA_VARIABLES)]
    for source, value in named:
        if value:
            if os.path.isfile(value):
                return Finding("company CA", OK, f"{value} (from {source})")
            return Finding("company CA", PROBLEM, f"{source} names {value}, which is no file", "correct or unset it")
    return Finding("company CA", OK, "none named; builds trust the usual certificates")


def _proxies() -> Finding:
    names = [
        name
        for name in ("http_proxy", "https_proxy", "no_proxy")
        if os.environ.get(name) or os.environ.get(name.upper())
    ]
    return Finding("proxies", OK, f"builds use {', '.join(names)}" if names else "none set")


def _leftovers() -> Finding:
    try:
        dead = dead_runs()
    except UsageError:
        return Finding("leftovers", OK, "none: there is no cache")
    if dead:
        return Finding(
            "leftovers",
            WARNING,
            f"{len(dead)} of launchers that were killed",
            "launch_quantization clean; the next run does it too",
        )
    return Finding("leftovers", OK, "none")
