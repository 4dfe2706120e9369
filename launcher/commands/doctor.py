"""``launch_quantization doctor``: a list of checks, each with what it found and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from launch_quantization.building.context import lock_file, variants
from launch_quantization.building.site import CA_VARIABLES
from launch_quantization.contract import cpu
from launch_quantization.contract.command_options import DoctorOptions
from launch_quantization.errors import UsageError
from launch_quantization.output.runs import dead_runs, runs_root
from launch_quantization.runtimes.choose import load_kinds
from launch_quantization.runtimes.kind import OK, PROBLEM, WARNING, Finding
from launch_quantization.runtimes.local.environment import NEEDED_BYTES
from launch_quantization.stream.sanitize import safe_text
from launch_quantization.view.streams import write_line

_MARKS = {OK: "ok      ", WARNING: "warning ", PROBLEM: "PROBLEM "}
_MACHINES = ("x86_64", "AMD64")


def doctor(options: DoctorOptions) -> int:
    """Print all findings.

    Returns:
        0 when a job can run in the runtime that ``--runtime`` names, ``auto`` being any; else 4 where
        the engine, or with ``bwrap`` the wall, is what is missing, 6 where the local environment is.
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
    met = {finding.check for finding in findings if finding.level == OK}
    kinds = load_kinds(runtime)
    if not machine_fails and any(kind.need in met for kind in kinds):
        return 0
    return kinds[-1].exit_code


def examine(options: DoctorOptions) -> Iterator[Finding]:
    """Run every check; one that fails does not keep the others from running.

    Raises:
        UsageError: there is no such variant.
    """
    lock_file(options.tensorflow)
    yield _check_python()
    yield _check_architecture()
    yield _check_cpu()
    for kind in load_kinds():
        yield from kind.examine(options)
    yield from _check_variants(options)
    yield _check_cache()
    yield _check_ca(options)
    yield _check_proxies()
    yield _check_leftovers()


def _check_variants(options: DoctorOptions) -> Iterator[Finding]:
    """Each TensorFlow variant, and what there is of it here; none of them is a problem."""
    found = [kind.list_variants(options) for kind in load_kinds()]
    for variant in variants():
        yield Finding(f"variant {variant}", OK, "; ".join(each[variant] for each in found if variant in each))


def _check_python() -> Finding:
    version = platform.python_version()
    return Finding("python", OK, f"{version} at {sys.executable}")


def _check_architecture() -> Finding:
    machine = platform.machine()
    if machine in _MACHINES:
        return Finding("architecture", OK, f"{platform.system()} on {machine}")
    return Finding(
        "architecture",
        PROBLEM,
        f"{platform.system()} on {machine}; the TensorFlow wheels are for x86-64, and emulators lack AVX",
        "use an x86-64 machine, or point DOCKER_HOST at an engine on this network that shares these files",
    )


def _check_cpu() -> Finding:
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


def _check_cache() -> Finding:
    try:
        return _check_room("disk (cache)", runs_root(), NEEDED_BYTES)
    except UsageError as error:
        return Finding("disk (cache)", PROBLEM, error.message, error.remedy)


def _check_room(check: str, path: Path, needed: int) -> Finding:
    free = shutil.disk_usage(path).free
    text = f"{free / 1e9:.1f} GB free at {path}"
    if free < needed:
        return Finding(
            check, WARNING, text, f"a local environment needs {needed / 1e9:.0f} GB: make room, or set XDG_CACHE_HOME"
        )
    return Finding(check, OK, text)


def _check_ca(options: DoctorOptions) -> Finding:
    named = [("--ca-bundle", options.ca_bundle), *((name, os.environ.get(name)) for name in CA_VARIABLES)]
    for source, value in named:
        if value:
            if os.path.isfile(value):
                return Finding("company CA", OK, f"{value} (from {source})")
            return Finding("company CA", PROBLEM, f"{source} names {value}, which is no file", "correct or unset it")
    return Finding("company CA", OK, "none named; builds trust the usual certificates")


def _check_proxies() -> Finding:
    names = [
        name
        for name in ("http_proxy", "https_proxy", "no_proxy")
        if os.environ.get(name) or os.environ.get(name.upper())
    ]
    return Finding("proxies", OK, f"builds use {', '.join(names)}" if names else "none set")


def _check_leftovers() -> Finding:
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
