"""What cannot run here is left out, and the last lines before pytest's own say what that was and why."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.browser import find_browser, what_to_do

SHARED = Path(__file__).resolve().parents[2] / "shared"
_REQUIRED = "TESTS_REQUIRE"
"""Environment variable: names of markers, separated by commas, whose tests must not be left out."""

_left_out = Counter()


def _engine_missing() -> str:
    """Why tests marked ``engine`` cannot run; empty if they can."""
    try:
        found = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "no docker command"
    return "" if found.returncode == 0 else "no Docker engine answers; `make engine` starts one"


def _bwrap_missing() -> str:
    """Why tests marked ``bwrap`` cannot run; empty if they can."""
    try:
        command = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "--unshare-user", "true"]
        found = subprocess.run(command, stderr=subprocess.PIPE, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "no bwrap command; apt install bubblewrap"
    return "" if found.returncode == 0 else found.stderr.decode(errors="replace").strip()


def _shared_missing() -> str:
    """Why tests marked ``shared`` cannot run; empty if they can."""
    return "" if (SHARED / "models").is_dir() else "no ../shared with real graphs and images"


def _browser_missing() -> str:
    """Why tests marked ``browser`` cannot run; empty if they can."""
    return "" if find_browser() else what_to_do()


_CHECKS = {
    "browser": _browser_missing,
    "bwrap": _bwrap_missing,
    "engine": _engine_missing,
    "shared": _shared_missing,
}


@pytest.hookimpl(trylast=True)  # after -k and -m: what was not asked for is not missed
def pytest_collection_modifyitems(config, items):
    """Deselect what cannot run here, or stop if it is required."""
    required = [name for name in os.environ.get(_REQUIRED, "").split(",") if name]
    for marker, missing in _CHECKS.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = missing() if marked else ""
        if not reason:
            continue
        if marker in required:
            raise pytest.UsageError(f"{len(marked)} tests marked {marker!r} must run, but: {reason}")
        _left_out[reason] += len(marked)
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]


def pytest_sessionfinish(session):
    """In a process of pytest-xdist: hand what was left out to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """What each process of pytest-xdist left out is the same."""
    _left_out.update(Counter(getattr(node, "workeroutput", {}).get("left_out", {})) - _left_out)


def pytest_terminal_summary(terminalreporter):
    """Say what did not run: left out here, or skipped by a test itself."""
    reasons = Counter(_left_out)
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.replace("Skipped: ", "", 1)] += 1
    terminalreporter.section("not run")
    for reason, count in reasons.items():
        terminalreporter.line(f"{count} tests: {reason}")
    if not reasons:
        terminalreporter.line("nothing: every test that was asked for ran")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real graphs and images; only for tests marked ``shared``."""
    return SHARED
